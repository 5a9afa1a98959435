import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.conditioner import NormalizedConv
from jaxgen.models.flow.glow import glow


def skewed(shape: tuple[int, ...]) -> jax.Array:
    """Data whose channels have very different means and scales."""
    noise = np.random.default_rng(0).gamma(2.0, size=shape)
    return jnp.asarray(noise * np.geomspace(0.01, 30.0, shape[-1]) + np.linspace(-5.0, 9.0, shape[-1]), jnp.float32)


def assert_standardized(x: jax.Array) -> None:
    axes = tuple(range(x.ndim - 1))
    np.testing.assert_allclose(np.mean(np.asarray(x, np.float64), axes), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.std(np.asarray(x, np.float64), axes), 1.0, atol=1e-3)


@pytest.mark.parametrize("shape", [(64, 5), (16, 4, 6, 3)])
def test_first_batch_comes_out_standardized(shape):
    x = skewed(shape)
    (z, _), _ = jax.jit(ActNorm().init_with_output)(jax.random.key(1), x)
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


@pytest.mark.parametrize(("value", "size"), [(1.0, 8), (5.1, 4096), (100.1, 64)])
def test_a_constant_channel_keeps_its_scale(value, size):
    """The mean of equal float32 numbers is not that number, but where they are few or round."""
    x = jnp.full((size, 2), value)
    (z, log_det), _ = ActNorm().init_with_output(jax.random.key(1), x, method="inverse_and_log_det")
    np.testing.assert_array_equal(z, 0)
    np.testing.assert_array_equal(log_det, 0)


@pytest.mark.parametrize("spread", [1e-4, 1e4])
def test_a_channel_that_varies_however_little_is_standardized(spread):
    x = spread * skewed((64, 3))
    (z, _), _ = ActNorm().init_with_output(jax.random.key(1), x, method="inverse_and_log_det")
    np.testing.assert_allclose(np.std(z, 0), 1, rtol=1e-3)


class Mix(Bijector):
    """A fixed nonlinear map that unsettles the moments of every channel and needs no random numbers."""

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.sinh(x + 0.5 * jnp.roll(x, 1, axis=-1)), jnp.zeros(len(x))


def test_repeated_layers_initialize_as_the_unrolled_chain_does():
    x, length = skewed((256, 2, 2, 3)), 3

    def layer() -> Chain:
        return Chain((ActNorm(), Mix()))

    (z, _), repeated = jax.jit(Repeat(layer(), length).init_with_output)(jax.random.key(1), x)
    (expected, _), chained = jax.jit(Chain(tuple(layer() for _ in range(length))).init_with_output)(
        jax.random.key(1), x
    )
    layers = [chained["params"][f"bijectors_{i}"] for i in range(length)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *layers)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), repeated["params"]["bijector"], stacked
    )
    np.testing.assert_allclose(z, expected, rtol=1e-3, atol=1e-3)
    assert (
        np.ptp(stacked["bijectors_0"]["log_scale"], axis=0).min() > 0.1
    )  # layers differ: a shared statistic would show


@pytest.mark.slow
def test_every_layer_of_a_glow_comes_out_standardized():
    """All actnorms, of the flow's path and of the coupling networks, in every step of both levels."""
    steps, x = 3, skewed((64, 8, 8, 1))
    flow = glow(steps, levels=2, width=4)
    variables = jax.jit(flow.init)(jax.random.key(1), x)

    def is_normalization(module: nn.Module, method: str) -> bool:
        return isinstance(module, ActNorm | NormalizedConv) and method in ("__call__", "inverse_and_log_det")

    @jax.jit
    def outputs(x):
        _, state = flow.apply(variables, x, capture_intermediates=is_normalization, mutable="intermediates")
        return [leaf for leaf in jax.tree.leaves(state) if leaf.ndim == 5]  # [steps, batch, height, width, channels]

    layers = outputs(x)
    assert len(layers) == 2 * 3  # levels x (actnorm and two convolutions of the coupling network)
    for stacked in layers:
        assert len(stacked) == steps
        for output in stacked:
            assert_standardized(output)


def test_normalized_conv_standardizes_its_first_batch():
    x = skewed((16, 6, 6, 4))
    layer = NormalizedConv(features=7, size=3)
    y, variables = jax.jit(layer.init_with_output)(jax.random.key(1), x)
    assert y.shape == (16, 6, 6, 7)
    assert_standardized(y)
    np.testing.assert_allclose(jax.jit(layer.apply)(variables, x), y, atol=1e-4)
