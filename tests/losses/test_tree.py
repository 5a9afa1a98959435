"""The tree's updates against its bound, the bound against samples, one level against scikit-learn's mixture."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.mixture import BayesianGaussianMixture

from jaxgen.errors import UserError
from jaxgen.losses import tree as crp
from jaxgen.losses.levels import Gaussian

RNG = np.random.default_rng(0)
PROCESS = crp.Process((2, 3), node_variance=1.7, data_variance=0.6, concentration=1.4)


def random_state(key, n=12):
    """Data of two dimensions and sequences, shares and a tree with nothing optimal about them."""
    leaves = PROCESS.nodes[-1]
    means, spreads, sequences, logits, noise = jnp.split(
        jax.random.normal(jax.random.fold_in(key, 1), (n * (5 + leaves) + 30,)), n * np.array([2, 4, 5, 5 + leaves])
    )
    data = crp.Data(2 * means.reshape(n, 2), jnp.exp(spreads.reshape(n, 2)), (sequences > 0).astype(int))
    shares = jax.nn.softmax(logits.reshape(n, leaves))
    tree = crp.start(key, PROCESS, sequences=2, size=2)
    bent = lambda leaf, by: leaf * jnp.exp(0.3 * by)  # noqa: E731
    variances = tuple(bent(v, noise[: len(v)]) for v in tree.variances)
    sticks = tuple(bent(s, noise[: s.shape[1], None]) for s in tree.sticks)
    return data, shares, tree._replace(variances=variances, sticks=sticks)


EVIDENCE_OF_Z = Gaussian(RNG.normal(size=(12, 2)), RNG.normal(size=(12, 2)))


def total(state):
    """The bound with p(x|z), a normal of z, and the entropy of q(z)."""
    data, shares, tree = state
    apart = (jnp.square(data.mean - EVIDENCE_OF_Z.mean) + data.variance) / jnp.exp(EVIDENCE_OF_Z.log_variance)
    return crp.bound(data, shares, tree, PROCESS) + jnp.sum(jnp.log(data.variance) - apart) / 2


def by_z(state):
    data, shares, tree = state
    z = crp.update_z(EVIDENCE_OF_Z, shares, tree, PROCESS)
    return data._replace(mean=z.mean, variance=jnp.exp(z.log_variance)), shares, tree


UPDATES = [
    lambda state: (state[0], crp.update_shares(state[0], state[2], PROCESS), state[2]),
    lambda state: (state[0], state[1], crp.update_sticks(*state, PROCESS)),
    lambda state: (state[0], state[1], crp.update_nodes(*state, PROCESS)),
    by_z,
]


def elsewhere(states, key):
    """After each of the updates, what it finds a little off: of nodes' means, the last level it finds."""
    noise = 0.1 * jax.random.normal(key, (100,))
    off = lambda leaf: leaf * jnp.exp(noise[: leaf.size].reshape(leaf.shape))  # noqa: E731
    (data_0, shares_0, tree_0), (data_1, shares_1, tree_1), (data_2, shares_2, tree_2), (data_3, *rest) = states
    means, variances = (off(tree_2.means[0]), *tree_2.means[1:]), jax.tree.map(off, tree_2.variances)
    return [
        (data_0, off(shares_0) / jnp.sum(off(shares_0), 1, keepdims=True), tree_0),
        (data_1, shares_1, tree_1._replace(sticks=jax.tree.map(off, tree_1.sticks))),
        (data_2, shares_2, tree_2._replace(means=means, variances=variances)),
        (data_3._replace(mean=off(data_3.mean), variance=off(data_3.variance)), *rest),
    ]


def test_each_update_finds_the_best_of_its_own_on_two_hundred_states(x64):
    @jax.jit
    @jax.vmap
    def compared(key):
        state = random_state(key)
        best = [update(state) for update in UPDATES]
        states = jax.tree.map(lambda *leaves: jnp.stack(leaves), state, *best, *elsewhere(best, key))
        before, *after = jnp.unstack(jax.vmap(total)(states))
        best, beside = jnp.split(jnp.stack(after), 2)
        return best - before, best - beside

    rises, falls = jax.device_get(compared(jax.random.split(jax.random.key(0), 200)))
    assert rises.min() > -1e-8
    assert (rises.max(0) > 0.1).all()
    assert falls.min() > 0


@pytest.mark.slow
def test_where_no_update_moves_anything_the_bound_has_no_slope(x64):
    """So each finds the maximum by its own parameters, and not something near it."""

    @jax.jit
    def settle(state):
        def sweep(_, state):
            for update in UPDATES:
                state = update(state)
            return state

        return jax.grad(total, allow_int=True)(jax.lax.fori_loop(0, 300, sweep, state))

    data, _, tree = settle(random_state(jax.random.key(1)))
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves((data.mean, data.variance, tree))) < 1e-6


@pytest.mark.slow
def test_the_bound_is_the_mean_of_the_log_ratio_of_samples(x64):
    """`E_q[log p(z, c, v, alpha) - log q(c, v, alpha)]` by 20,000 draws, all densities scipy's."""
    data, shares, tree = (jax.tree.map(np.asarray, part) for part in random_state(jax.random.key(2), n=3))
    rng, count = np.random.default_rng(0), 20_000
    total, above = np.zeros(count), np.zeros((count, 1, 2))
    weights = np.ones((count, 2, 1))  # of draws, sequences and nodes
    for means, variances, sticks, branching in zip(*tree, PROCESS.branching, strict=True):
        above = np.repeat(above, branching, 1)
        alpha = means + np.sqrt(variances)[:, None] * rng.normal(size=(count, *means.shape))
        total += stats.norm(above, np.sqrt(1.7)).logpdf(alpha).sum((1, 2))
        total -= stats.norm(means, np.sqrt(variances)[:, None]).logpdf(alpha).sum((1, 2))
        v = rng.beta(*np.moveaxis(sticks, -1, 0), size=(count, *sticks.shape[:2]))
        total += (stats.beta(1, 1.4).logpdf(v) - stats.beta(*np.moveaxis(sticks, -1, 0)).logpdf(v)).sum((1, 2))
        v = v.reshape(count, 2, -1, branching)
        rest = np.concatenate([np.ones_like(v[..., :1]), np.cumprod(1 - v, -1)[..., :-1]], -1)
        weights, above = (weights[..., None] * v * rest).reshape(count, 2, -1), alpha
    for mean, variance, sequence, share in zip(*data, shares, strict=True):
        c = rng.choice(len(share), count, p=share)
        z = mean + np.sqrt(variance) * rng.normal(size=(count, 2))
        at = np.arange(count)
        total += stats.norm(above[at, c], np.sqrt(0.6)).logpdf(z).sum(1)
        total += np.log(weights[at, sequence, c]) - np.log(share[c])
    error = total.std() / np.sqrt(count)
    assert crp.bound(data, shares, tree, PROCESS) == pytest.approx(total.mean(), abs=4 * error)
    assert error < 0.25


def test_one_level_is_scikit_learn_s_dirichlet_process_mixture(x64):
    """A covariance fixed by a prior of 1e10 degrees of freedom: the same responsibilities, sweep after sweep."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(centre, 0.7, (30, 2)) for centre in ((0, 0), (3, 1), (-1, 3))])
    process, first = crp.Process((5,), 4.0, 0.5, 0.8), rng.dirichlet(np.ones(5), len(x))
    freedom = 1e10
    theirs = BayesianGaussianMixture(
        n_components=5, covariance_type="spherical", weight_concentration_prior=0.8, mean_prior=np.zeros(2),
        reg_covar=0, mean_precision_prior=0.5 / 4.0, degrees_of_freedom_prior=freedom, covariance_prior=0.5 * freedom,
    )  # fmt: skip
    theirs._check_parameters(x)
    theirs._initialize(x, first)
    data = crp.Data(x, np.zeros(()), np.zeros(len(x), int))
    tree = jax.jit(lambda key: crp.start(key, process, sequences=1, size=2))(jax.random.key(0))

    @jax.jit
    def step(shares, tree):
        tree = crp.update_nodes(data, shares, crp.update_sticks(data, shares, tree, process), process)
        return crp.update_shares(data, tree, process), tree

    shares = first
    for _ in range(6):
        shares, tree = step(shares, tree)
        expected = theirs._e_step(x)[1]
        np.testing.assert_allclose(shares, np.exp(expected), atol=1e-5)
        np.testing.assert_allclose(tree.means[0], theirs.means_, atol=1e-6)
        theirs._m_step(x, expected)


@pytest.mark.slow
def test_regrowing_never_lowers_the_bound_and_finds_planted_leaves(x64):
    """From a start at which all leaves are one, two groups of two are told apart."""
    rng = np.random.default_rng(0)
    centres = np.array([[-6, 0], [-4, 0], [4, 3], [4, 5]])
    label = np.repeat(np.arange(4), 25)
    x = centres[label] + 0.3 * rng.normal(size=(100, 2))
    process = crp.Process((2, 2), node_variance=9.0, data_variance=0.09)
    data = crp.Data(jnp.asarray(x), jnp.zeros(()), jnp.zeros(100, int))
    value = jax.jit(lambda tree: crp.bound(data, crp.update_shares(data, tree, process), tree, process))
    step = jax.jit(lambda key, tree: crp.regrow(key, data, tree, process))
    tree, course = crp.start(jax.random.key(3), process, sequences=1, size=2), []
    for number in range(12):
        tree = step(jax.random.key(number), tree)
        course.append(float(value(tree)))
    assert (np.diff(course) > -1e-8).all()
    found = np.asarray(crp.update_shares(data, tree, process)).argmax(1)
    assert [len(set(found[label == k])) for k in range(4)] == [1, 1, 1, 1]
    assert len(set(found)) == 4


def test_a_tree_without_levels_or_spread_is_refused():
    with pytest.raises(UserError, match="branching is"):
        crp.Process(())
    with pytest.raises(UserError, match="data_variance is 0"):
        crp.Process((2,), data_variance=0.0)
