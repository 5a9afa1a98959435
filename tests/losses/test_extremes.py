"""Every loss at once: finite values and gradients at extreme arguments, and float32 arithmetic on bfloat16 inputs."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses import adversarial, flow, variational

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
