import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.conditioner import ConvConditioner, DenseConditioner, convolve


@pytest.mark.parametrize(
    ("size", "channels", "features"), [(1, 5, 3), (3, 2, 7), (3, 7, 2), (3, 4, 4), (5, 2, 3), (5, 3, 2)]
)
def test_convolve_is_the_zero_padded_convolution(size, channels, features):
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        x, kernel = rng.standard_normal((2, 5, 4, channels)), rng.standard_normal((size, size, channels, features))

        def direct(x, kernel):
            layout = ("NHWC", "HWIO", "NHWC")
            return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)

        @jax.jit
        def values_and_gradients(x, kernel):
            expected, pullback = jax.vjp(direct, x, kernel)
            actual, our_pullback = jax.vjp(convolve, x, kernel)
            cotangent = jnp.cos(expected)
            return (actual, *our_pullback(cotangent)), (expected, *pullback(cotangent))

        for ours, theirs in zip(*values_and_gradients(x, kernel), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize(
    ("conditioner", "shape"), [(ConvConditioner(4), (3, 4, 4, 2)), (DenseConditioner((8, 8)), (3, 2))]
)
def test_starts_at_zero_and_computes_in_its_dtype(conditioner, shape):
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    y, variables = jax.jit(conditioner.init_with_output, static_argnums=2)(jax.random.key(1), x, 6)
    np.testing.assert_array_equal(y, np.zeros((*shape[:-1], 6)))
    variables = jax.tree.map(lambda p: np.asarray(p) + np.float32(0.1), variables)
    half = jax.jit(conditioner.clone(dtype=jnp.bfloat16).apply, static_argnums=2)(variables, x, 6)
    full = jax.jit(conditioner.apply, static_argnums=2)(variables, x, 6)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half, full, rtol=0.1, atol=0.1)


def test_dropout_acts_only_with_a_key():
    conditioner = ConvConditioner(16, dropout=0.5)
    x = np.random.default_rng(0).standard_normal((3, 4, 4, 2), np.float32)

    @jax.jit
    def outputs(x):
        variables = jax.tree.map(lambda p: p + 0.1, conditioner.init(jax.random.key(1), x, 6))
        dropped = [conditioner.apply(variables, x, 6, rngs={"dropout": jax.random.key(i)}) for i in (0, 1)]
        return conditioner.apply(variables, x, 6), ConvConditioner(16).apply(variables, x, 6), *dropped

    still, without, first, second = map(np.asarray, outputs(x))
    np.testing.assert_allclose(still, without, rtol=1e-6)
    assert np.abs(first - still).max() > 0.01
    assert np.abs(first - second).max() > 0.01
