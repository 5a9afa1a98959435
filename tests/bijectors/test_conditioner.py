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
        x = jax.random.normal(jax.random.key(0), (2, 5, 4, channels), jnp.float64)
        kernel = jax.random.normal(jax.random.key(1), (size, size, channels, features), jnp.float64)

        def direct(x, kernel):
            layout = ("NHWC", "HWIO", "NHWC")
            return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)

        expected, pullback = jax.vjp(direct, x, kernel)
        actual, our_pullback = jax.vjp(convolve, x, kernel)
        np.testing.assert_allclose(actual, expected, atol=1e-12)
        cotangent = jnp.cos(expected)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-11), our_pullback(cotangent), pullback(cotangent)
        )


@pytest.mark.parametrize(
    ("conditioner", "shape"), [(ConvConditioner(4), (3, 4, 4, 2)), (DenseConditioner((8, 8)), (3, 2))]
)
def test_starts_at_zero_and_computes_in_its_dtype(conditioner, shape):
    x = jax.random.normal(jax.random.key(0), shape)
    y, variables = conditioner.init_with_output(jax.random.key(1), x, 6)
    np.testing.assert_array_equal(y, np.zeros((*shape[:-1], 6)))
    half = conditioner.clone(dtype=jnp.bfloat16).apply(jax.tree.map(lambda p: p + 0.1, variables), x, 6)
    full = conditioner.apply(jax.tree.map(lambda p: p + 0.1, variables), x, 6)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half, full, rtol=0.1, atol=0.1)


def test_dropout_acts_only_with_a_key():
    conditioner = ConvConditioner(16, dropout=0.5)
    x = jax.random.normal(jax.random.key(0), (3, 4, 4, 2))
    variables = jax.tree.map(lambda p: p + 0.1, conditioner.init(jax.random.key(1), x, 6))
    still = conditioner.apply(variables, x, 6)
    np.testing.assert_array_equal(still, ConvConditioner(16).apply(variables, x, 6))
    dropped = [conditioner.apply(variables, x, 6, rngs={"dropout": jax.random.key(i)}) for i in (0, 1)]
    assert jnp.abs(dropped[0] - still).max() > 0.01
    assert jnp.abs(dropped[0] - dropped[1]).max() > 0.01
