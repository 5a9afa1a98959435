"""DCGAN: the all-convolutional generator and discriminator.

Radford, Metz & Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", section 3: strided 4x4 convolutions instead of pooling, batch normalization except at the image, ReLU in the
generator and LeakyReLU(0.2) in the discriminator, weights drawn from N(0, 0.02^2). A bias in front of a batch
normalization has no gradient, so there is none.
"""

from typing import Any, Literal

import jax
from flax import linen as nn

from jaxgen.layers.conv import Conv, ConvTranspose, doublings
from jaxgen.layers.spectral_norm import SpectralConv, SpectralDense

_INIT = nn.initializers.normal(0.02)


def _batch_norm(train: bool, dtype: Any, name: str) -> nn.BatchNorm:
    # The average forgets with 0.9 a step: what moves in a GAN's training has moved on after a few.
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=dtype, name=name)


class Generator(nn.Module):
    """Latents `[batch, latent]` to images `[batch, height, width, channels]` in [-1, 1].

    Attributes:
      image_shape: (height, width, channels); height = width, a power of two from 8 up.
      width: channels of the last hidden map; each smaller map has twice as many.
      dtype: of the computation; parameters and batch statistics stay float32.
    """

    image_shape: tuple[int, int, int] = (32, 32, 1)
    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool) -> jax.Array:
        """Generates; `train` normalizes by the batch and moves `batch_stats`, which must be mutable."""
        height, width, channels = self.image_shape
        stages = doublings(height, width)
        features = self.width << (stages - 1)
        x = nn.Dense(16 * features, use_bias=False, kernel_init=_INIT, dtype=self.dtype, name="project")(z)
        x = x.reshape(-1, 4, 4, features)
        for stage in range(stages):
            x = nn.relu(_batch_norm(train, self.dtype, f"norm_{stage}")(x))
            last = stage == stages - 1
            features = channels if last else features // 2
            up = ConvTranspose(
                features, (4, 4), (2, 2), use_bias=last, kernel_init=_INIT, dtype=self.dtype, name=f"up_{stage}"
            )
            x = up(x)
        return nn.tanh(x)


class Trunk(nn.Module):
    """Images `[batch, height, width, channels]` to features `[batch, 16 * channels of the last map]`.

    Attributes:
      width: channels of the first hidden map; each smaller map has twice as many.
      dtype: of the computation; parameters and batch statistics stay float32.
      normalization: "batch" as in the paper; "spectral" of all weights in its place (Miyato et al. 2018, section 4); or
        None, for a loss that looks at the gradient of each example's score.
    """

    width: int = 64
    dtype: Any = None
    normalization: Literal["batch", "spectral"] | None = "batch"

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """The features; `train` normalizes by the batch and moves `batch_stats`, which must be mutable."""
        conv = SpectralConv if self.normalization == "spectral" else Conv
        for stage in range(doublings(*x.shape[1:3])):
            batch_norm = self.normalization == "batch" and stage > 0
            down = conv(
                self.width << stage, (4, 4), (2, 2), use_bias=not batch_norm, kernel_init=_INIT, dtype=self.dtype,
                name=f"down_{stage}",
            )  # fmt: skip
            x = down(x)
            if batch_norm:
                x = _batch_norm(train, self.dtype, f"norm_{stage}")(x)
            x = nn.leaky_relu(x, 0.2)
        return x.reshape(x.shape[0], -1)


class Discriminator(Trunk):
    """Images `[batch, height, width, channels]` to logits `[batch]` of being real: a `Trunk` and one product."""

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Judges; `train` normalizes by the batch and moves `batch_stats`, which must be mutable."""
        dense = SpectralDense if self.normalization == "spectral" else nn.Dense
        features = super().__call__(x, train=train)
        return dense(1, kernel_init=_INIT, dtype=self.dtype, name="logit")(features)[:, 0]
