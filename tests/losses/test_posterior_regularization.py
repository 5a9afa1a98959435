"""Posterior regularization where everything can be enumerated: the states of twelve bits, or fewer, in float64."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, rel_entr

from jaxgen.errors import UserError
from jaxgen.losses import posterior_regularization as pr

BITS = np.array(list(itertools.product([0, 1], repeat=12)))  # [4096, 12]
ALPHA = 1.5


def problem(states, seed=0):
    """Log-probabilities and a constraint, `[states]` each."""
    rng = np.random.default_rng(seed)
    return log_softmax(rng.normal(size=states)), rng.normal(size=states)


@jax.jit
def posterior(log_p, f):
    return pr.posterior(log_p, f, ALPHA)


def kl(log_a, log_b):
    return rel_entr(np.exp(log_a), np.exp(log_b)).sum()


def minimum(loss, start, scale=1.0):
    """`loss` minimised over `start + scale * x` by a general-purpose optimizer with its JAX gradient."""
    value_and_grad = jax.jit(jax.value_and_grad(lambda x: loss(start + scale * x)))
    found = minimize(
        lambda x: [np.asarray(v, np.float64) for v in value_and_grad(x)],
        np.zeros_like(start),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "gtol": 1e-9, "ftol": 0},
    )
    return start + scale * found.x, found.fun


@pytest.mark.quick("5")
@pytest.mark.parametrize("states", [5, 4096])
def test_the_e_step_is_what_a_numerical_optimizer_finds(x64, states):
    log_p, f = problem(states)

    def loss(logits):  # written out with no help from the library but the objective's definition
        log_q = jax.nn.log_softmax(logits)
        return jnp.sum(jnp.exp(log_q) * (log_q - log_p - ALPHA * f))

    logits, least = minimum(loss, log_p, np.exp(-log_p / 2))

    @jax.jit
    def found(log_p, f):
        log_q = posterior(log_p, f)
        return log_q, pr.objective(log_q, log_p, f, ALPHA), pr.log_partition(log_p, f, ALPHA)

    log_q, objective, log_z = found(log_p, f)
    np.testing.assert_allclose(np.exp(log_q), np.exp(log_softmax(logits)), atol=1e-7)
    np.testing.assert_allclose(objective, least, rtol=1e-9)
    np.testing.assert_allclose(-log_z, least, rtol=1e-9)


def test_any_other_q_pays_its_divergence_from_the_optimum(x64):
    """KL(q || p) - alpha E_q[f] = KL(q || q*) - log Z, for every q: the E-step's proof."""
    log_p, f = problem(4096)
    log_q = log_softmax(np.random.default_rng(1).normal(size=(3, 4096)), axis=-1)

    @jax.jit
    def excess(log_q, log_p, f):
        of_all = jnp.broadcast_to(log_p, log_q.shape)
        return pr.objective(log_q, of_all, f, ALPHA) + pr.log_partition(log_p, f, ALPHA)

    best = np.asarray(posterior(log_p, f))
    np.testing.assert_allclose(excess(log_q, log_p, f), [kl(q, best) for q in log_q], rtol=1e-10)


def test_the_axis_is_the_states_and_impossible_states_stay_impossible(x64):
    log_p, f = problem(60)
    log_p[7] = -np.inf
    columns, constraint = log_softmax(log_p.reshape(20, 3), axis=0), f.reshape(20, 3)

    @jax.jit
    def all_of(log_p, f):
        log_q = pr.posterior(log_p, f, ALPHA, axis=0)
        log_z = pr.log_partition(log_p, f, ALPHA, axis=0).sum()
        objective = jax.value_and_grad(lambda f: pr.objective(log_q, log_p, f, ALPHA, axis=0).sum())(f)
        return log_q, log_z, objective, jax.grad(lambda log_p: pr.m_step(log_p, jnp.exp(log_q), axis=0).sum())(log_p)

    found, log_z, (value, by_f), by_log_p = jax.device_get(all_of(columns, constraint))
    for j in range(3):
        np.testing.assert_allclose(found[:, j], log_softmax(columns[:, j] + ALPHA * constraint[:, j]), rtol=1e-12)
    q = np.exp(found)
    assert q[2, 1] == 0
    np.testing.assert_allclose(value, -log_z, rtol=1e-10)
    np.testing.assert_allclose(by_f, -ALPHA * q, rtol=1e-10)
    np.testing.assert_allclose(by_log_p, -q, rtol=1e-10)


def test_importance_weights_recover_expectations_at_the_predicted_precision(x64):
    log_p, f = problem(4096)
    rng = np.random.default_rng(2)
    g = rng.normal(size=4096)
    draws = rng.choice(4096, size=(2000, 400), p=np.exp(log_p))  # samples in rows, repetitions in columns
    weights, size = jax.device_get(jax.jit(pr.importance_weights)(f[draws], ALPHA))
    q = np.exp(posterior(log_p, f))
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-12)
    estimates = (weights * g[draws]).sum(0)
    truth = q @ g
    # The delta method's variance of a self-normalized estimate, E_p[(q/p)^2 (g - truth)^2] / n.
    predicted = np.sum(q**2 / np.exp(log_p) * (g - truth) ** 2) / 2000
    assert estimates.mean() == pytest.approx(truth, abs=4 * np.sqrt(predicted / 400) + 0.005)
    assert estimates.var() == pytest.approx(predicted, rel=0.25)
    # n / (1 + the variance of q/p) in the limit.
    assert np.mean(size) == pytest.approx(2000 / np.sum(q**2 / np.exp(log_p)), rel=0.1)


def test_effective_sample_size_counts_the_samples_that_count():
    weights = jax.jit(pr.importance_weights)
    for count in (1, 3, 8):
        f = np.where(np.arange(8) < count, 0.0, -1e4)
        np.testing.assert_allclose(weights(f, 1.0).effective_sample_size, count, rtol=1e-6)


def bernoulli_log_prob(logits):
    """Twelve independent bits: log-probabilities of all 4,096 states."""
    return BITS @ jax.nn.log_sigmoid(logits) + (1 - BITS) @ jax.nn.log_sigmoid(-logits)


def test_em_never_raises_the_objective_and_ends_where_joint_descent_does(x64):
    """L(p) + KL(q || p) - alpha E_q[f] with L the likelihood of data: the M-step has a closed form, the mean bits."""
    rng = np.random.default_rng(3)
    data = np.exp(log_softmax(rng.normal(size=4096) + BITS @ rng.normal(size=12)))
    f = (BITS[:, 0] == BITS[:, 1]) + BITS[:, 2] * BITS[:, 3] - 2.0 * (BITS.sum(1) > 7)

    def objective(log_q, logits):
        log_p = bernoulli_log_prob(logits)
        return pr.m_step(log_p, data) + pr.objective(log_q, log_p, f, ALPHA)

    def m_step(logits, q):
        log_p = bernoulli_log_prob(logits)
        return pr.m_step(log_p, data) + pr.m_step(log_p, q)

    @jax.jit
    def sweep(logits):
        """The logits that follow, the objective after either step, and the slope of the second."""
        log_q = posterior(bernoulli_log_prob(logits), f)
        q = jnp.exp(log_q)
        mean = (data + q) @ BITS / 2
        after = jnp.log(mean) - jnp.log1p(-mean)
        return after, (objective(log_q, logits), objective(log_q, after)), jax.grad(m_step)(after, q)

    logits, values = rng.normal(size=12), []
    for _ in range(60):
        logits, both, slope = sweep(logits)
        values.extend(map(float, both))
        # The closed form is where the library's M-step stands still.
        np.testing.assert_allclose(slope, np.zeros(12), atol=1e-10)
    assert np.all(np.diff(values) <= 1e-12)
    assert values[0] - values[-1] > 0.1
    assert values[-3] - values[-1] < 1e-9

    def marginal(logits):  # q eliminated
        log_p = bernoulli_log_prob(logits)
        return pr.m_step(log_p, data) - pr.log_partition(log_p, f, ALPHA)

    value, slope = jax.jit(jax.value_and_grad(marginal))(logits)
    assert value == pytest.approx(values[-1], abs=1e-8)
    np.testing.assert_allclose(slope, np.zeros(12), atol=1e-5)


@functools.cache
def planted(seed=4):
    """A model p, a hidden constraint, and data that follow q* of the two exactly: `[4096]` each."""
    log_p, f = problem(4096, seed)
    return log_p, f, np.asarray(posterior(log_p, f))


def test_inverse_reinforcement_learning_recovers_the_planted_constraint_up_to_a_constant(x64):
    log_p, hidden, log_data = planted()
    data = np.exp(log_data)
    f, least = minimum(lambda f: data @ pr.irl(f, f, ALPHA, log_p=log_p), np.zeros(4096), np.exp(-log_data / 2))
    difference = f - hidden
    np.testing.assert_allclose(difference, np.full(4096, difference.mean()), atol=1e-4)
    # The optimum is minus the divergence of the data from the model, which the constraint explains away.
    assert least == pytest.approx(-kl(log_data, log_p), rel=1e-9)


def test_what_is_known_stays_and_only_the_rest_is_learned(x64):
    log_p, hidden, _ = planted()
    features = np.random.default_rng(5).normal(size=(4096, 3))
    known, unknown = hidden, np.array([1.0, -0.5, 2.0])
    data = np.exp(posterior(log_p, known + features @ unknown))

    def loss(weights):
        f = known + features @ weights
        return data @ pr.irl(f, f, ALPHA, log_p=log_p)

    np.testing.assert_allclose(minimum(loss, np.zeros(3))[0], unknown, atol=1e-5)


def test_maximising_the_constraint_under_q_fails_where_inverse_reinforcement_learning_succeeds(x64):
    """The naive M-step, max over f of E_q*[f], rewards f for what it already rewards; the data never come in."""
    log_p, hidden, log_data = planted()
    data = np.exp(log_data)

    def naive(f):
        return -jnp.exp(jax.lax.stop_gradient(pr.posterior(log_p, f, ALPHA))) @ f

    def learned(f):
        return data @ pr.irl(f, f, ALPHA, log_p=log_p)

    def descend(loss, rate):
        def step(_, f):
            return f - rate * jax.grad(loss)(f)

        return np.asarray(jax.jit(lambda: jax.lax.fori_loop(0, 2000, step, jnp.zeros(4096)))())

    def report(f):
        log_q = np.asarray(posterior(log_p, f))
        return kl(log_data, log_q), stats.entropy(np.exp(log_q)), stats.spearmanr(f, hidden).statistic

    before = kl(log_data, log_p)
    divergence, entropy, correlation = report(descend(naive, 10.0))
    assert divergence > 10 * before  # further from the data than with no constraint at all
    assert entropy < 0.1  # q has collapsed to the state that was likeliest at the start
    assert abs(correlation) < 0.2
    divergence, entropy, correlation = report(descend(learned, 10.0))
    assert divergence < 0.05 * before
    assert entropy == pytest.approx(stats.entropy(np.exp(log_data)), rel=0.05)
    assert correlation > 0.5


def test_the_learning_gradient_is_the_data_s_mean_less_the_posterior_s(x64):
    rng = np.random.default_rng(6)
    f_data, f_model = rng.normal(size=7), rng.normal(size=11)

    @jax.jit
    def run(f_data, f_model):
        losses, back = jax.vjp(lambda a, b: pr.irl(a, b, ALPHA), f_data, f_model)
        return losses, back(jnp.full(7, 1 / 7))

    losses, gradients = run(f_data, f_model)
    weights = np.exp(ALPHA * f_model) / np.exp(ALPHA * f_model).sum()
    np.testing.assert_allclose(gradients[0], np.full(7, -ALPHA / 7), rtol=1e-12)
    np.testing.assert_allclose(gradients[1], ALPHA * weights, rtol=1e-12)
    expected = -ALPHA * f_data + logsumexp(ALPHA * f_model) - np.log(11)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


def test_the_implicit_m_step_is_the_reverse_divergence_s_gradient(x64):
    """x = mu + s e with e ~ N(0, 1), f any smooth function; KL(p || q*) by quadrature, with q* of the present p."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    now = np.array([0.3, -0.2])  # mean, log-scale

    def f(x):
        return jnp.sin(x) - 0.1 * x**4

    def sample(theta):
        return theta[0] + jnp.exp(theta[1]) * nodes

    def log_prob(theta, x):
        return -0.5 * ((x - theta[0]) * jnp.exp(-theta[1])) ** 2 - theta[1]

    def reverse_kl(theta):  # up to log Z, a constant
        x = sample(theta)
        return weights @ (log_prob(theta, x) - log_prob(now, x) - ALPHA * f(x))

    def implicit(theta):
        return weights @ pr.implicit_m_step(f(sample(theta)), ALPHA)

    found, truth = jax.jit(lambda theta: (jax.grad(implicit)(theta), jax.grad(reverse_kl)(theta)))(now)
    np.testing.assert_allclose(found, truth, rtol=1e-9)
    # elsewhere the two differ, and only here must they agree
    above, below = jax.jit(jax.vmap(jax.vmap(implicit)))(np.stack([now + 1e-5 * np.eye(2), now - 1e-5 * np.eye(2)]))
    np.testing.assert_allclose(found, (above - below) / 2e-5, rtol=1e-6)


def test_both_direct_gradients_have_the_exact_mean_and_reparametrization_varies_less(x64):
    """f(x) = -(x - 3)^2 under N(mu, s^2): E f = -(mu - 3)^2 - s^2."""
    theta = np.array([0.5, -0.3])
    exact = 2 * ALPHA * np.array([theta[0] - 3, np.exp(2 * theta[1])])
    e = np.random.default_rng(0).normal(size=(5_000, 8))

    def f(x):
        return -((x - 3) ** 2)

    def sample(theta, e):
        return theta[0] + jnp.exp(theta[1]) * e

    def log_prob(theta, x):
        return -0.5 * ((x - theta[0]) * jnp.exp(-theta[1])) ** 2 - theta[1]

    def reparametrized(theta, e):
        return pr.implicit_m_step(f(sample(theta, e)), ALPHA).mean()

    def log_derivative(theta, e):
        x = jax.lax.stop_gradient(sample(theta, e))
        return pr.score_function(f(x), log_prob(theta, x), ALPHA).mean()

    def without_baseline(theta, e):
        x = jax.lax.stop_gradient(sample(theta, e))
        return -ALPHA * (f(x) * log_prob(theta, x)).mean()

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(None, 0))
    def run(theta, e):
        return [jax.value_and_grad(each)(theta, e) for each in (reparametrized, log_derivative, without_baseline)]

    values, gradients = zip(*jax.device_get(run(theta, e)), strict=True)
    for each in gradients:
        error = each.std(0) / np.sqrt(len(each))
        np.testing.assert_array_less(np.abs(each.mean(0) - exact), 4 * error)
    variance = [each.var(0) for each in gradients]
    assert np.all(2 * variance[0] < variance[1])
    assert np.all(1.5 * variance[1] < variance[2])
    np.testing.assert_allclose(values[1], values[0], rtol=1e-12)


def test_the_score_function_s_gradient_is_exact_on_average_over_every_possible_batch(x64):
    """Two samples of four states: all sixteen batches, weighted by their probabilities."""
    logits, f = np.random.default_rng(7).normal(size=(2, 4))
    p = np.exp(log_softmax(logits))

    @jax.jit
    @jax.vmap
    def gradient(batch):
        return jax.grad(lambda w: pr.score_function(jnp.array(f)[batch], jax.nn.log_softmax(w)[batch], ALPHA).mean())(
            logits
        )

    batches = np.array(list(itertools.product(range(4), repeat=2)))
    mean = p[batches].prod(1) @ np.asarray(gradient(batches))
    np.testing.assert_allclose(mean, -ALPHA * p * (f - p @ f), rtol=1e-10)


def test_the_m_step_moves_the_model_alone(x64):
    log_p, f = problem(5)

    def through_q(f):
        return pr.m_step(log_p, jnp.exp(pr.posterior(log_p, f, ALPHA)))

    def learning(log_p):
        return pr.irl(f, f, ALPHA, log_p=log_p).mean()

    for gradient in jax.jit(lambda log_p, f: (jax.grad(through_q)(f), jax.grad(learning)(log_p)))(log_p, f):
        np.testing.assert_array_equal(gradient, np.zeros(5))


def test_extremes_stay_finite_and_low_precision_is_computed_in_float32():
    log_p = np.log(np.full(4, 0.25))
    losses = {
        "objective": lambda f: pr.objective(pr.posterior(log_p, f, 1.0), log_p, f, 1.0),
        "weights": lambda f: pr.importance_weights(f, 1.0).effective_sample_size,
        "irl": lambda f: pr.irl(f, f, 1.0).mean(),
        "score": lambda f: pr.score_function(f, log_p, 1.0).mean(),
    }
    f = jnp.array([1e4, -1e4, 1.0, 88.0])
    values = jax.jit(lambda f: {name: jax.value_and_grad(loss)(f) for name, loss in losses.items()})(f)
    for name, (value, gradient) in values.items():
        assert np.isfinite(value), name
        assert np.isfinite(gradient).all(), name
        assert jax.eval_shape(losses[name], f.astype(jnp.bfloat16)).dtype == jnp.float32, name


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="log_q has shape"):
        pr.objective(np.zeros((2, 3)), np.zeros(3), np.zeros(3), 1.0)
    with pytest.raises(UserError, match="log_p has shape"):
        pr.m_step(np.zeros((2, 3)), np.ones(3) / 3)
    with pytest.raises(UserError, match="f has shape"):
        pr.score_function(np.zeros(3), np.zeros((3, 1)), 1.0)
    with pytest.raises(UserError, match="single sample"):
        pr.score_function(np.zeros(1), np.zeros(1), 1.0)
