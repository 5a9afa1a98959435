"""Every loss at once: values and gradients at extreme and infinite arguments, and float32 arithmetic on bfloat16."""

import functools
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


def arguments(values, dtype=jnp.float32):
    return [np.array(column, dtype) for column in zip(*itertools.product(*values), strict=True)]


@functools.cache
def with_gradients(function):
    """(arguments, constants) -> the values, and the gradients of their sum by each argument; of whole numbers none."""

    @jax.jit
    def run(arguments, constants=()):
        result, pullback = jax.vjp(lambda *arguments: function(*arguments, *constants), *arguments)
        return result, pullback(jnp.ones_like(result)) if jnp.issubdtype(result.dtype, jnp.floating) else ()

    return run


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_finite(name):
    function, values = CASES[name]
    args = arguments(values)
    result, gradients = with_gradients(function)(args)
    assert result.shape == args[0].shape
    assert np.isfinite(result).all()
    for gradient in gradients:
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", CASES)
def test_low_precision_inputs_are_computed_in_float32(name):
    function, values = CASES[name]
    args = arguments(values, jnp.bfloat16)

    # Or XLA might itself compute in float32 what is written in bfloat16.
    @functools.partial(jax.jit, compiler_options={"xla_allow_excess_precision": False})
    def both(*args):
        return function(*args), function(*(a.astype(jnp.float32) for a in args))

    found, expected = both(*args)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CASES)
def test_float64_is_kept(x64, name):
    function, values = CASES[name]
    assert jax.eval_shape(function, *arguments(values, jnp.float64)).dtype == jnp.float64


INF = np.inf
LOG_2 = np.log(2)
MASKED = [[0.0, 0.0, -INF]]  # logits of three classes of which the last is not to be had
HALVES = [[-LOG_2, -LOG_2]]
ONE, TWO = np.ones((1, 1)), np.ones((1, 2))  # masks of sentences
# Two rules about three classes: the first wants class 0, the second class 1.
AT_ODDS = [[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]
NO_COSTS, ALL_FORBIDDEN = np.zeros((2, 2)), np.full((2, 2), INF)


def of_f(function):
    return lambda f, alpha, *before: function(*before, f, alpha)


rules, objective, posterior, log_partition = (
    distillation.rule_posterior, of_f(pr.objective), of_f(pr.posterior), of_f(pr.log_partition)
)  # fmt: skip

# name -> (function, its floating arguments, what it is there, what else it is given): of one function and shape, one
# program for all
AT_INFINITY = {
    "imitation without the masked class": (distillation.imitation, [MASKED], [LOG_2], [0], [[0.5, 0.5, 0.0]], 0.5),
    "imitation of no teacher": (distillation.imitation, [MASKED], [LOG_2], [0], [[0.0, 0.0, 1.0]], 0.0),
    "imitation of the teacher alone": (distillation.imitation, [MASKED], [LOG_2], [2], [[0.5, 0.5, 0.0]], 1.0),
    "imitation of what is masked": (distillation.imitation, [MASKED], [INF], [0], [[0.0, 0.0, 1.0]], 0.5),
    "rule_posterior of a masked class": (rules, [MASKED], [[-LOG_2, -LOG_2, -INF]], AT_ODDS, [1.0, 1.0], 1.0),
    "rule_posterior, all forbidden": (rules, [[[0.0, 0.0, 9.0]]], [[-LOG_2, -LOG_2, -INF]], AT_ODDS, [INF, INF], 1.0),
    "rule_posterior, what is left masked": (
        rules, [[[-INF, 0.0, 0.0]]], [[-INF, -LOG_2, -LOG_2]], AT_ODDS, [INF, 0.0], 1.0
    ),
    "rule_posterior of no strength": (rules, [MASKED], [[-LOG_2, -LOG_2, -INF]], AT_ODDS, [INF, 1.0], 0.0),
    "transition_costs of no strength": (
        lambda c: chains.transition_costs(np.zeros((1, 1, 1)), c, 0.0), [[INF]], [[0.0]]
    ),
    "log_partition of one word": (chains.log_partition, [[HALVES]], [0.0], NO_COSTS, ONE),
    "marginals of one word": (chains.marginals, [[HALVES]], [[[0.5, 0.5]]], NO_COSTS, ONE),
    "viterbi of one word": (chains.viterbi, [[[[0.0, 1.0]]]], [[1]], NO_COSTS, ONE),
    "log_partition of a masked tag": (chains.log_partition, [[[[0.0, -INF], [0.0, 0.0]]]], [0.0], NO_COSTS, TWO),
    "marginals of a masked tag": (
        chains.marginals, [[[[0.0, -INF], [0.0, 0.0]]]], [[[1.0, 0.0], [0.5, 0.5]]], NO_COSTS, TWO
    ),
    "log_partition, all forbidden": (chains.log_partition, [[HALVES * 2]], [-INF], ALL_FORBIDDEN, TWO),
    "marginals, all forbidden": (chains.marginals, [[HALVES * 2]], [[[0.0, 0.0], [0.0, 0.0]]], ALL_FORBIDDEN, TWO),
    "viterbi, all forbidden": (chains.viterbi, [[HALVES * 2]], [[0, 0]], ALL_FORBIDDEN, TWO),
    "objective at its posterior": (
        lambda log_p, f: pr.objective(pr.posterior(log_p, f, 1.0), log_p, f, 1.0), [HALVES, [[0.0, -INF]]], [LOG_2]
    ),
    "objective of what is forbidden": (objective, [[[0.0, -INF]], 1.0], [INF], HALVES, HALVES),
    "objective at alpha = 0": (objective, [[[0.0, -INF]], 0.0], [0.0], HALVES, HALVES),
    "posterior": (posterior, [[[0.0, -INF]], 1.0], [[0.0, -INF]], HALVES),
    "posterior at alpha = 0": (posterior, [[[0.0, -INF]], 0.0], HALVES, HALVES),
    "posterior, all forbidden": (posterior, [[[-INF, -INF]], 1.0], HALVES, HALVES),
    "posterior, what is left impossible": (posterior, [[[-INF, 0.0]], 1.0], [[0.0, -INF]], [[0.0, -INF]]),
    "importance_weights, all forbidden": (
        lambda f, alpha: pr.importance_weights(f, alpha).weights, [[-INF, -INF], 1.0], [0.5, 0.5]
    ),
    "log_partition of f": (log_partition, [[[0.0, -INF]], 1.0], [-LOG_2], HALVES),
    "log_partition of f at alpha = 0": (log_partition, [[[0.0, -INF]], 0.0], [0.0], HALVES),
    "log_partition of f, all forbidden": (log_partition, [[[-INF, -INF]], 1.0], [-INF], HALVES),
    "m_step": (lambda log_p: pr.m_step(log_p, np.array([[1.0, 0.0]])), [[[0.0, -INF]]], [0.0]),
    "implicit_m_step at alpha = 0": (pr.implicit_m_step, [[-INF], 0.0], [0.0]),
    "irl": (pr.irl, [[0.0], [0.0, -INF]], [-LOG_2], 1.0),
    "irl at alpha = 0": (pr.irl, [[-INF], [0.0, -INF]], [0.0], 0.0),
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
    function, arguments, expected, *constants = AT_INFINITY[name]
    arguments = [np.asarray(x, np.float32) for x in arguments]
    result, gradients = with_gradients(function)(arguments, [np.asarray(x) for x in constants])
    np.testing.assert_allclose(result, expected, atol=1e-6)
    for gradient in gradients:
        assert not np.isnan(gradient).any()


def test_what_has_no_weight_says_nothing_and_what_has_is_differentiated():
    weights, values = jnp.array([0.0, 0.0, 2.0, 1.0]), jnp.array([INF, 3.0, 5.0, -INF])
    products, (by_weight, by_value) = with_gradients(times)((weights, values))
    np.testing.assert_array_equal(products, [0, 0, 10, -INF])
    np.testing.assert_array_equal(by_weight, [0, 3, 5, 0])
    np.testing.assert_array_equal(by_value, [0, 0, 2, 1])
