"""Winograd's algorithms against the direct convolution they are to equal."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen.layers import winograd

SHAPES = [
    # image, window, strides, padding
    ((8, 8), (4, 4), (2, 2), ((1, 1), (1, 1))),
    ((7, 10), (3, 3), (1, 1), ((1, 1), (1, 1))),
    ((9, 8), (4, 2), (2, 1), ((0, 2), (1, 0))),
    ((6, 11), (3, 6), (1, 2), ((2, 0), (0, 3))),
]


def direct(x, kernel, strides, padding):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.quick("image[02]*")
@pytest.mark.parametrize(("image", "window", "strides", "padding"), SHAPES)
def test_equals_the_direct_convolution_and_its_adjoints(image, window, strides, padding):
    assert winograd.supports(window, strides)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        x, kernel = jnp.asarray(rng.normal(size=(2, *image, 3))), jnp.asarray(rng.normal(size=(*window, 3, 5)))
        cotangent = jnp.asarray(rng.normal(size=direct(x, kernel, strides, padding).shape))

        @functools.partial(jax.jit, static_argnums=0)
        def value_and_adjoints(function, x, kernel):
            y, adjoints = jax.vjp(lambda x, k: function(x, k, strides, padding), x, kernel)
            return y, *adjoints(cotangent)

        ours, truth = (value_and_adjoints(f, x, kernel) for f in (winograd.convolve, direct))
        for a, b in zip(ours, truth, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("window", "strides"), [((4, 4), (2, 2)), ((3, 3), (1, 1))])
def test_rounds_hardly_more_than_the_direct_convolution(window, strides):
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(4, 16, 16, 64)), rng.normal(size=(*window, 64, 32))
    padding = ((1, 1), (1, 1))
    with jax.enable_x64(True):
        truth = np.asarray(direct(jnp.asarray(x), jnp.asarray(kernel), strides, padding))
    x, kernel = jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32)
    error = [
        np.sqrt(np.mean((np.asarray(f(x, kernel, strides, padding)) - truth) ** 2)) for f in (winograd.convolve, direct)
    ]
    assert error[0] < 4 * error[1] < 1e-4


def test_multiplies_9_times_for_16_and_16_for_36():
    for window, strides, products in (((4, 4), (2, 2), 9), ((3, 3), (1, 1), 16)):
        x, kernel = jnp.zeros((1, 8, 8, 4)), jnp.zeros((*window, 4, 4))
        jaxpr = str(jax.make_jaxpr(lambda x, k, s=strides: winograd.convolve(x, k, s, ((1, 1), (1, 1))))(x, kernel))
        assert jaxpr.count("dot_general") == products
        assert "conv_general_dilated" not in jaxpr


@pytest.mark.parametrize(
    ("window", "strides"), [((5, 5), (1, 1)), ((4, 4), (2, 1)), ((3, 3), (2, 2)), ((1, 1), (1, 1))]
)
def test_other_windows_are_not_supported(window, strides):
    assert not winograd.supports(window, strides)
