"""Enlarging and pooling against numpy, and convolutions that do it on the way against doing it before or after."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen.errors import UserError
from jaxgen.layers.attention import SelfAttention
from jaxgen.layers.resample import ResampledConv, SpectralResampledConv, enlarge, max_pool, mean_pool
from jaxgen.models.adversarial.resnet_gan import Discriminator

X = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)


def blocks(x):
    """`[batch, height / 2, width / 2, channels, 4]`: the pixels of each block."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 5, 2, 4).reshape(
        batch, height // 2, width // 2, channels, 4
    )  # fmt: skip


def test_blocks_of_four_pixels():
    large, mean, maximum = jax.jit(lambda x: (enlarge(x), mean_pool(x), max_pool(x)))(X)
    np.testing.assert_array_equal(large, X.repeat(2, 1).repeat(2, 2))
    np.testing.assert_allclose(mean, blocks(X).mean(-1), atol=1e-6)
    np.testing.assert_array_equal(maximum, blocks(X).max(-1))


@pytest.mark.parametrize("resample", ["up", "down"])
def test_convolving_and_resampling_at_once_is_one_after_the_other(resample):
    layer = ResampledConv(5, (3, 3), resample=resample)
    variables = layer.init(jax.random.key(0), X)
    kernel = variables["params"]["kernel"]
    variables["params"]["bias"] = jnp.arange(5.0)
    both = jax.jit(layer.apply)(variables, X)
    before = X.repeat(2, 1).repeat(2, 2) if resample == "up" else X
    y = np.asarray(lax.conv_general_dilated(before, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))
    truth = (y if resample == "up" else blocks(y).mean(-1)) + np.arange(5)
    assert kernel.shape == (3, 3, 3, 5)
    np.testing.assert_allclose(both, truth, atol=1e-5)


def test_a_spectral_one_normalizes_the_kernel_it_keeps():
    """Not the larger one that it convolves with."""
    layer = SpectralResampledConv(5, (3, 3), resample="up", use_bias=False)
    variables = layer.init(jax.random.key(0), X)
    kernel, u = variables["params"]["kernel"], variables["spectral"]["u"]
    sigma = np.linalg.norm(kernel.reshape(-1, 5) @ u)
    plain = ResampledConv(5, (3, 3), resample="up", use_bias=False)
    truth = plain.apply({"params": {"kernel": kernel / sigma}}, X)
    np.testing.assert_allclose(layer.apply(variables, X), truth, atol=1e-5)


ODD = np.zeros((1, 7, 4, 8), np.float32)
HALVING = {
    "mean_pool": lambda: mean_pool(ODD),
    "max_pool": lambda: max_pool(ODD.swapaxes(1, 2)),
    "conv": lambda: ResampledConv(5, (3, 3), resample="down").init(jax.random.key(0), ODD),
    "spectral conv": lambda: SpectralResampledConv(5, (3, 3), resample="down").init(jax.random.key(0), ODD),
    "attention": lambda: SelfAttention().init(jax.random.key(0), ODD),
    "discriminator": lambda: Discriminator((4, 8, 16), halvings=3).init(
        jax.random.key(0), np.zeros((1, 28, 28, 1)), train=False
    ),
}


@pytest.mark.quick("attention", "*conv")
@pytest.mark.parametrize("name", HALVING)
def test_an_odd_map_is_refused(name):
    with pytest.raises(UserError, match=r"a map of \dx\d cannot be halved; pad or resize images"):
        HALVING[name]()
