"""Sigmoid belief networks: all states' probabilities sum to one, and draws have them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.losses.ancestral import Draw, Replay
from jaxgen.losses.variational import bernoulli_log_prob
from jaxgen.models.latent.sbn import RecognitionNet, SigmoidBeliefNet

HIDDEN, EVENT = (3, 2), (2, 2)


def all_bits(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def random_variables(module, *args, **kwargs):
    """Weights of a size at which layers matter to one another."""
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), *args, **kwargs))
    leaves, tree = jax.tree.flatten(variables)
    rng = np.random.default_rng(0)
    return jax.tree.unflatten(tree, [rng.normal(size=leaf.shape) for leaf in leaves])


@pytest.fixture(scope="module")
def generative():
    """The network, and log p(z_2, z_1, x) of all 2^9 states with the states: columns are two, three and four bits."""
    with jax.enable_x64(True):
        module = SigmoidBeliefNet(HIDDEN, EVENT)
        variables = random_variables(module, lead=(1,), sample=Draw(jax.random.key(0)))
        states = all_bits(9)

        def log_p():
            replay = Replay([states[:, :2], states[:, 2:5]])
            logits = module.apply(variables, lead=(len(states),), sample=replay)
            return replay.log_prob + bernoulli_log_prob(states[:, 5:].reshape(-1, *EVENT), logits)

        return module, variables, np.asarray(jax.jit(log_p)()), states


def test_probabilities_of_all_states_sum_to_one_and_are_the_layers_products(x64, generative):
    _, variables, log_p, states = generative
    np.testing.assert_allclose(np.exp(log_p).sum(), 1, rtol=1e-12)
    params, (z_2, z_1, x) = variables["params"], np.split(states, [2, 5], axis=1)
    total = 0.0
    for bits, logits in (
        (z_2, params["prior"]),
        (z_1, z_2 @ params["layer_0"]["kernel"] + params["layer_0"]["bias"]),
        (x, z_1 @ params["pixels"]["kernel"] + params["pixels"]["bias"]),
    ):
        total += stats.bernoulli.logpmf(bits, 1 / (1 + np.exp(-logits))).sum(1)
    np.testing.assert_allclose(log_p, total, rtol=1e-10)


def test_draws_have_the_states_probabilities(x64, generative):
    module, variables, log_p, _ = generative

    @jax.jit
    def dream(key):
        draw = Draw(key)
        logits = module.apply(variables, lead=(20_000,), sample=draw)
        pixels = jax.random.bernoulli(jax.random.fold_in(key, 9), jax.nn.sigmoid(logits)).reshape(-1, 4)
        return jnp.concatenate([*draw.layers, pixels], 1)

    counts = np.bincount(np.asarray(dream(jax.random.key(1))).astype(int) @ (1 << np.arange(8, -1, -1)), minlength=512)
    expected = 20_000 * np.exp(log_p)
    common = expected > 5
    pooled = [np.append(c[common], c[~common].sum()) for c in (counts, expected)]
    assert stats.chisquare(*pooled).pvalue > 1e-3


def test_recognition_sums_to_one_and_several_draws_share_its_first_product(x64):
    module = RecognitionNet(HIDDEN)
    x = np.random.default_rng(2).integers(0, 2, (3, *EVENT)).astype(float)
    variables = random_variables(module, x, sample=Draw(jax.random.key(0)))
    states = all_bits(5)
    layers = [np.broadcast_to(part[:, None], (32, 3, part.shape[1])) for part in np.split(states, [3], axis=1)]

    @jax.jit
    def log_q():
        replay = Replay(layers)
        module.apply(variables, x, sample=replay)
        return replay.log_prob

    np.testing.assert_allclose(np.exp(log_q()).sum(0), np.ones(3), rtol=1e-12)

    @jax.jit
    def drawn():
        draw = Draw(jax.random.key(3), draws=7)
        module.apply(variables, x, sample=draw)
        again = Replay(draw.layers)
        module.apply(variables, x, sample=again)
        return draw.logits, again.logits, draw.log_prob, again.log_prob

    logits, replayed, log_prob, again = drawn()
    assert [part.shape for part in logits] == [(7, 3, 3), (7, 3, 2)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), (logits, log_prob), (replayed, again))
    assert (logits[0] == logits[0][:1]).all()
    assert np.ptp(logits[1], axis=0).max() > 0.1
