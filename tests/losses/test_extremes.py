"""Every loss at once: values and gradients at extreme and infinite arguments, and float32 arithmetic on bfloat16."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses import adversarial, chains, distillation, flow, variational
from jaxgen.losses import posterior_regularization as pr
from jaxgen.losses.arrays import times

EXTREMES = (-1e4, -88.0, -1.0, 0.0, 1.0, 88.0, 1e4)
BITS = (0.0, 1.0)
PIXELS = (-1.0, -1 / 255, 1.0)
LOG_SCALES = EXTREMES

# name -> (a function of arrays [n], one number per element; the values each argument may take)
CASES = {
    f"{name}.{role}": (getattr(getattr(adversarial, name), role), (EXTREMES, EXTREMES))
    for name in ("minimax", "non_saturating", "wasserstein", "hinge", "least_squares", "relativistic_pairing")
    for role in ("critic", "generator")
} | {
    "bernoulli_log_prob": (variational.bernoulli_log_prob, (BITS, EXTREMES)),
    "gaussian_log_prob": (variational.gaussian_log_prob, (PIXELS, (-10.0, *PIXELS, 10.0), LOG_SCALES)),
    "discretized_logistic_log_prob": (variational.discretized_logistic_log_prob, (PIXELS, EXTREMES, LOG_SCALES)),
    # e^88 is the end of float32: past it the divergence itself is infinite.
    "gaussian_kl": (variational.gaussian_kl, (EXTREMES, (-1e4, -88.0, 0.0, 88.0))),
    "elbo": (variational.elbo, (EXTREMES, EXTREMES)),
    "log_likelihood": (flow.log_likelihood, (EXTREMES, EXTREMES)),
    "bits_per_dim": (lambda nats: flow.bits_per_dim(nats, (8, 8, 1)), (EXTREMES,)),
}


def arguments(values):
    return [jnp.array(column, jnp.float32) for column in zip(*itertools.product(*values), strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_finite(name):
    function, values = CASES[name]
    args = arguments(values)
    result, pullback = jax.jit(lambda *args: jax.vjp(function, *args))(*args)
    assert result.shape == args[0].shape
    assert np.isfinite(result).all()
    for gradient in pullback(jnp.ones_like(result)):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", CASES)
def test_low_precision_inputs_are_computed_in_float32(name):
    function, values = CASES[name]
    args = [a.astype(jnp.bfloat16) for a in arguments(values)]
    expected = function(*(a.astype(jnp.float32) for a in args))
    found = function(*args)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CASES)
def test_float64_is_kept(x64, name):
    function, values = CASES[name]
    args = [a.astype(jnp.float64) for a in arguments(values)]
    assert function(*args).dtype == jnp.float64


INF = np.inf
LOG_2 = np.log(2)
MASKED = [[0.0, 0.0, -INF]]  # logits of three classes of which the last is not to be had
HALVES = [[-LOG_2, -LOG_2]]
ONE, TWO = np.ones((1, 1)), np.ones((1, 2))  # masks of sentences
# Two rules about three classes: the first wants class 0, the second class 1.
AT_ODDS = [[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]
NO_COSTS, ALL_FORBIDDEN = np.zeros((2, 2)), np.full((2, 2), INF)


def imitation(pi, label, teacher):
    return lambda logits: distillation.imitation(logits, np.array([label]), np.array([teacher]), pi)


def rules(confidences, strength=1.0, values=AT_ODDS):
    return lambda logits: distillation.rule_posterior(logits, np.array(values), np.array(confidences), strength)


def of_f(function, *before, **after):
    return lambda f, alpha: function(*(np.array(x) for x in before), f, alpha, **after)


# name -> (function, its floating arguments, what it is there)
AT_INFINITY = {
    "imitation without the masked class": (imitation(0.5, 0, [0.5, 0.5, 0.0]), [MASKED], [LOG_2]),
    "imitation of no teacher": (imitation(0.0, 0, [0.0, 0.0, 1.0]), [MASKED], [LOG_2]),
    "imitation of the teacher alone": (imitation(1.0, 2, [0.5, 0.5, 0.0]), [MASKED], [LOG_2]),
    "imitation of what is masked": (imitation(0.5, 0, [0.0, 0.0, 1.0]), [MASKED], [INF]),
    "rule_posterior of a masked class": (rules([1.0, 1.0]), [MASKED], [[-LOG_2, -LOG_2, -INF]]),
    "rule_posterior, all forbidden": (rules([INF, INF]), [[[0.0, 0.0, 9.0]]], [[-LOG_2, -LOG_2, -INF]]),
    "rule_posterior, what is left masked": (rules([INF, 0.0]), [[[-INF, 0.0, 0.0]]], [[-INF, -LOG_2, -LOG_2]]),
    "rule_posterior of no strength": (rules([INF, 1.0], 0.0), [[[0.0, 0.0, -INF]]], [[-LOG_2, -LOG_2, -INF]]),
    "transition_costs of no strength": (
        lambda c: chains.transition_costs(np.zeros((1, 1, 1)), c, 0.0), [[INF]], [[0.0]]
    ),
    "log_partition of one word": (lambda z: chains.log_partition(z, NO_COSTS, ONE), [[HALVES]], [0.0]),
    "marginals of one word": (lambda z: chains.marginals(z, NO_COSTS, ONE), [[HALVES]], [[[0.5, 0.5]]]),
    "viterbi of one word": (lambda z: chains.viterbi(z, NO_COSTS, ONE), [[[[0.0, 1.0]]]], [[1]]),
    "log_partition of a masked tag": (
        lambda z: chains.log_partition(z, NO_COSTS, TWO), [[[[0.0, -INF], [0.0, 0.0]]]], [0.0]
    ),
    "marginals of a masked tag": (
        lambda z: chains.marginals(z, NO_COSTS, TWO), [[[[0.0, -INF], [0.0, 0.0]]]], [[[1.0, 0.0], [0.5, 0.5]]]
    ),
    "log_partition, all forbidden": (lambda z: chains.log_partition(z, ALL_FORBIDDEN, TWO), [[HALVES * 2]], [-INF]),
    "marginals, all forbidden": (
        lambda z: chains.marginals(z, ALL_FORBIDDEN, TWO), [[HALVES * 2]], [[[0.0, 0.0], [0.0, 0.0]]]
    ),
    "viterbi, all forbidden": (lambda z: chains.viterbi(z, ALL_FORBIDDEN, TWO), [[HALVES * 2]], [[0, 0]]),
    "objective at its posterior": (
        lambda log_p, f: pr.objective(pr.posterior(log_p, f, 1.0), log_p, f, 1.0), [HALVES, [[0.0, -INF]]], [LOG_2]
    ),
    "objective of what is forbidden": (of_f(pr.objective, HALVES, HALVES), [[[0.0, -INF]], 1.0], [INF]),
    "objective at alpha = 0": (of_f(pr.objective, HALVES, HALVES), [[[0.0, -INF]], 0.0], [0.0]),
    "posterior": (of_f(pr.posterior, HALVES), [[[0.0, -INF]], 1.0], [[0.0, -INF]]),
    "posterior at alpha = 0": (of_f(pr.posterior, HALVES), [[[0.0, -INF]], 0.0], HALVES),
    "posterior, all forbidden": (of_f(pr.posterior, HALVES), [[[-INF, -INF]], 1.0], HALVES),
    "posterior, what is left impossible": (of_f(pr.posterior, [[0.0, -INF]]), [[[-INF, 0.0]], 1.0], [[0.0, -INF]]),
    "importance_weights, all forbidden": (
        lambda f, alpha: pr.importance_weights(f, alpha).weights, [[-INF, -INF], 1.0], [0.5, 0.5]
    ),
    "log_partition of f": (of_f(pr.log_partition, HALVES), [[[0.0, -INF]], 1.0], [-LOG_2]),
    "log_partition of f at alpha = 0": (of_f(pr.log_partition, HALVES), [[[0.0, -INF]], 0.0], [0.0]),
    "log_partition of f, all forbidden": (of_f(pr.log_partition, HALVES), [[[-INF, -INF]], 1.0], [-INF]),
    "m_step": (lambda log_p: pr.m_step(log_p, np.array([[1.0, 0.0]])), [[[0.0, -INF]]], [0.0]),
    "implicit_m_step at alpha = 0": (pr.implicit_m_step, [[-INF], 0.0], [0.0]),
    "irl": (lambda data, model: pr.irl(data, model, 1.0), [[0.0], [0.0, -INF]], [-LOG_2]),
    "irl at alpha = 0": (lambda data, model: pr.irl(data, model, 0.0), [[-INF], [0.0, -INF]], [0.0]),
    "bernoulli_log_prob": (
        variational.bernoulli_log_prob, [[[1.0], [0.0], [1.0], [0.0]], [[INF], [-INF], [-INF], [INF]]],
        [0, 0, -INF, -INF],
    ),
    "gaussian_log_prob": (
        variational.gaussian_log_prob, [[[0.0], [1.0], [INF]], [[0.0], [0.0], [0.0]], [[INF], [INF], [0.0]]], [-INF] * 3
    ),
    "gaussian_kl": (variational.gaussian_kl, [[[0.0], [INF], [0.0]], [[-INF], [0.0], [INF]]], [INF] * 3),
    "discretized_logistic_log_prob": (
        variational.discretized_logistic_log_prob, [[[1.0], [0.0], [-1.0]], [[0.0]] * 3, [[INF]] * 3],
        [-LOG_2, -INF, -LOG_2],
    ),
    "minimax.critic": (adversarial.minimax.critic, [[INF, -INF, 0.0], [-INF, 0.0, INF]], [0, INF, INF]),
    "hinge.critic": (adversarial.hinge.critic, [[INF, -INF], [-INF, 0.0]], [0, INF]),
    "least_squares.critic": (adversarial.least_squares.critic, [[INF, 1.0], [0.0, -INF]], [INF, INF]),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_INFINITY)
def test_values_at_infinity_are_the_limits_and_no_gradient_is_nan(name):
    function, arguments, expected = AT_INFINITY[name]
    arguments = [jnp.asarray(x, jnp.float32) for x in arguments]
    result, pullback = jax.jit(lambda *args: jax.vjp(function, *args))(*arguments)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    if jnp.issubdtype(result.dtype, jnp.floating):
        for gradient in pullback(jnp.ones_like(result)):
            assert not np.isnan(gradient).any()


def test_what_has_no_weight_says_nothing_and_what_has_is_differentiated():
    weights, values = jnp.array([0.0, 0.0, 2.0, 1.0]), jnp.array([INF, 3.0, 5.0, -INF])
    np.testing.assert_array_equal(times(weights, values), [0, 0, 10, -INF])
    by_weight, by_value = jax.vjp(times, weights, values)[1](jnp.ones(4))
    np.testing.assert_array_equal(by_weight, [0, 3, 5, 0])
    np.testing.assert_array_equal(by_value, [0, 0, 2, 1])
