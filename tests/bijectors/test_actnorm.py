import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.conditioner import NormalizedConv
from jaxgen.bijectors.invertible_conv import InvertibleConv


def skewed(shape: tuple[int, ...]) -> jax.Array:
    """Data whose channels have very different means and scales."""
    noise = jax.random.gamma(jax.random.key(0), 2.0, shape)
    return noise * jnp.geomspace(0.01, 30.0, shape[-1]) + jnp.linspace(-5.0, 9.0, shape[-1])


def assert_standardized(x: jax.Array) -> None:
    axes = tuple(range(x.ndim - 1))
    np.testing.assert_allclose(jnp.mean(x, axes), 0.0, atol=1e-4)
    np.testing.assert_allclose(jnp.std(x, axes), 1.0, atol=1e-3)


@pytest.mark.parametrize("shape", [(64, 5), (16, 4, 6, 3)])
def test_first_batch_comes_out_standardized(shape):
    x = skewed(shape)
    (z, _), _ = ActNorm().init_with_output(jax.random.key(1), x)
    assert_standardized(z)


def test_later_batches_do_not_change_the_parameters():
    x = skewed((64, 3))
    variables = ActNorm().init(jax.random.key(1), x)
    z, _ = ActNorm().apply(variables, 2.0 * x)
    scale = jnp.std(x, 0)
    np.testing.assert_allclose(z, (2.0 * x - jnp.mean(x, 0)) / scale, rtol=1e-3, atol=1e-3)


def test_initialization_by_the_forward_map_is_the_identity():
    z = skewed((64, 3))
    (x, log_det), _ = ActNorm().init_with_output(jax.random.key(1), z, method="forward_and_log_det")
    np.testing.assert_array_equal(x, z)
    np.testing.assert_array_equal(log_det, 0.0)


def test_a_constant_channel_stays_finite():
    (z, log_det), _ = ActNorm().init_with_output(jax.random.key(1), jnp.ones((8, 2)))
    assert jnp.all(jnp.isfinite(z))
    assert jnp.all(jnp.isfinite(log_det))


def test_repeated_layers_are_initialized_one_after_the_other():
    """Layer n's actnorm standardizes what layers 1 … n-1, already initialized, hand it."""
    x = skewed((256, 2, 2, 3))
    layer = Chain((InvertibleConv(), ActNorm()))
    repeat = Repeat(layer, 4)
    (z, _), variables = repeat.init_with_output(jax.random.key(1), x)
    steps = []
    for i in range(4):
        x, _ = layer.apply(jax.tree.map(lambda v, i=i: v[i], {k: v["bijector"] for k, v in variables.items()}), x)
        assert_standardized(x)
        steps.append(x)
    np.testing.assert_allclose(z, x, atol=1e-4)
    assert jnp.abs(steps[1] - steps[0]).max() > 0.1  # the rotations differ, so the layers do


def test_normalized_conv_standardizes_its_first_batch():
    x = skewed((16, 6, 6, 4))
    y, variables = NormalizedConv(features=7, size=3).init_with_output(jax.random.key(1), x)
    assert_standardized(NormalizedConv(features=7, size=3).apply(variables, x))
    assert y.shape == (16, 6, 6, 7)
