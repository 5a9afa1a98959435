"""Modulated convolutions against the weights each example has of its own, and noise that is told apart from none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.signal import convolve2d

from jaxgen.layers.modulated import ModulatedConv, Noise

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(3, 4, 5, 6)).astype(np.float32)
W = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def explicit(params, x, w, demodulate, up):
    """Example by example, as equations 1 and 3 say."""
    style = w @ params["style"]["kernel"] / np.sqrt(w.shape[1]) + params["style"]["bias"]
    images = []
    for image, s in zip(x, style, strict=True):
        kernel = params["kernel"] / np.sqrt(9 * x.shape[-1]) * s[:, None]
        if demodulate:
            kernel = kernel / np.sqrt(np.sum(kernel**2, (0, 1, 2), keepdims=True) + 1e-8)
        if up:  # the adjoint of a strided convolution: its kernel turned round over zeros between the pixels
            turned = jnp.flip(kernel, (0, 1))
            y = lax.conv_general_dilated(
                image[None], turned, (1, 1), [(2, 2)] * 2, lhs_dilation=(2, 2), dimension_numbers=DIMENSIONS
            )
            blur = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
            full = np.stack([convolve2d(y[0, ..., c], blur) for c in range(y.shape[-1])], -1)
            images.append(full[2:-2, 2:-2])
        else:
            images.append(
                lax.conv_general_dilated(image[None], kernel, (1, 1), "SAME", dimension_numbers=DIMENSIONS)[0]
            )
    return np.stack(images)


@pytest.mark.parametrize(("demodulate", "up"), [(True, False), (False, False), (True, True)])
def test_every_example_has_weights_of_its_own(demodulate, up):
    layer = ModulatedConv(8, demodulate=demodulate, up=up)
    variables = layer.init(KEY, X, W)
    params = jax.tree.map(np.asarray, variables["params"])
    truth = explicit(params, X, W, demodulate, up)
    assert truth.shape == ((3, 8, 10, 8) if up else (3, 4, 5, 8))
    np.testing.assert_allclose(layer.apply(variables, X, W), truth, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("demodulate", "variance"), [(True, 1.0), (False, None)])
def test_demodulation_gives_unit_variance_whatever_the_style(demodulate, variance):
    x = jax.random.normal(KEY, (256, 3, 3, 16))
    layer = ModulatedConv(4, demodulate=demodulate)
    w = 3 * jax.random.normal(jax.random.key(1), (1, 8))
    variables = layer.init(jax.random.key(2), x, jnp.repeat(w, 256, 0))
    y = layer.apply(variables, x, jnp.repeat(w, 256, 0))[:, 1, 1]
    found = np.asarray(jnp.var(y, 0))  # of 256 draws: a relative error of sqrt(2 / 256)
    if variance:
        np.testing.assert_allclose(found, 1, atol=4 * np.sqrt(2 / 256))
    else:
        assert np.abs(found - 1).max() > 1


def test_styles_begin_near_one():
    variables = ModulatedConv(8).init(KEY, X, W)
    np.testing.assert_array_equal(variables["params"]["style"]["bias"], 1)


def test_noise_does_nothing_until_its_strength_is_learned():
    layer = Noise()
    variables = layer.init(KEY, X)
    assert np.array_equal(layer.apply(variables, X, rngs={"noise": KEY}), X)
    variables = {**variables, "params": {"strength": jnp.asarray(0.5)}}
    added = (np.asarray(layer.apply(variables, X, rngs={"noise": KEY})) - X) / 0.5
    np.testing.assert_allclose(added, np.broadcast_to(added[..., :1], X.shape), atol=1e-5)  # all channels alike
    assert np.abs(added[0] - added[1]).max() > 0.1  # not all examples
    assert (
        np.abs(added - (np.asarray(layer.apply(variables, X, rngs={"noise": jax.random.key(1)})) - X) / 0.5).max() > 0.1
    )
    fixed = (np.asarray(layer.apply(variables, X)) - X) / 0.5
    np.testing.assert_allclose(fixed, np.broadcast_to(variables["constants"]["picture"], X.shape), atol=1e-5)
