"""ProGAN: a generator and a critic that grow, and the fade from one size to the next.

Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation", table 2 and figure 2.
A network of one stage more has the parameters of the smaller one under the same names, but for the layer of the image
that had faded out there. While the new block fades in, its weight alpha going from 0 to 1, the old image enlarged, or
the old layers on the halved image, take the rest. Alpha is in the collection `fade` (`layers.fade`), 1 at first, which
`methods.adversarial.progressive.growing` moves.
"""

from typing import Any

import jax
from flax import linen as nn

from jaxgen.layers.equalized import EqualizedConv, EqualizedDense, pixel_norm
from jaxgen.layers.fade import alpha_of, between
from jaxgen.layers.minibatch import append_standard_deviation
from jaxgen.layers.resample import enlarge, mean_pool


class Generator(nn.Module):
    """Latents `[batch, latent]` to images `[batch, size, size, channels]`, size = 4, 8, 16, ... as stages go by.

    Attributes:
      features: channels of the maps of 4, 8, 16, ... pixels: as many as there are stages now.
      channels: of the image.
      dtype: of the computation; parameters stay float32.
    """

    features: tuple[int, ...]
    channels: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        first, *larger = self.features
        # A mean square of 1/16 of He's, as in the authors' code; the pixel norm that follows takes most of it back.
        dense = EqualizedDense(16 * first, gain=2**0.5 / 4, dtype=self.dtype, name="project")
        x = _normed(dense(pixel_norm(z)).reshape(-1, 4, 4, first))
        x = _normed(self._conv(first, "conv_4")(x))
        size, before = 4, None
        for features in larger:
            size, before = 2 * size, x
            x = _normed(self._conv(features, f"conv_{size}_a")(enlarge(x)))
            x = _normed(self._conv(features, f"conv_{size}_b")(x))
        image = self._to_rgb(size)(x)
        if before is None:
            return image
        return between(enlarge(self._to_rgb(size // 2)(before)), image, alpha_of(self))

    def _conv(self, features: int, name: str) -> nn.Module:
        return EqualizedConv(features, (3, 3), dtype=self.dtype, name=name)

    def _to_rgb(self, size: int) -> nn.Module:
        return EqualizedConv(self.channels, (1, 1), gain=1.0, dtype=self.dtype, name=f"rgb_{size}")


class Critic(nn.Module):
    """Images `[batch, size, size, channels]` to scores `[batch]`.

    Attributes:
      features: channels of the maps of 4, 8, 16, ... pixels: as many as there are stages now.
      group: examples whose deviation the last layers see, see `append_standard_deviation`.
      dtype: of the computation; parameters stay float32.
    """

    features: tuple[int, ...]
    group: int | None = 4
    dtype: Any = None

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        size = 4 << (len(self.features) - 1)
        x = self._from_rgb(size)(images)
        for stage in range(len(self.features) - 1, 0, -1):
            x = _rectified(self._conv(self.features[stage], f"conv_{size}_a")(x))
            x = mean_pool(_rectified(self._conv(self.features[stage - 1], f"conv_{size}_b")(x)))
            size //= 2
            if stage == len(self.features) - 1:
                x = between(self._from_rgb(size)(mean_pool(images)), x, alpha_of(self))
        x = _rectified(self._conv(self.features[0], "conv_4")(append_standard_deviation(x, self.group)))
        x = EqualizedDense(self.features[0], dtype=self.dtype, name="hidden")(x.reshape(x.shape[0], -1))
        return EqualizedDense(1, gain=1.0, dtype=self.dtype, name="score")(_rectified(x))[:, 0]

    def _conv(self, features: int, name: str) -> nn.Module:
        return EqualizedConv(features, (3, 3), dtype=self.dtype, name=name)

    def _from_rgb(self, size: int) -> Any:
        features = self.features[(size // 4).bit_length() - 1]
        conv = EqualizedConv(features, (1, 1), dtype=self.dtype, name=f"rgb_{size}")
        return lambda images: _rectified(conv(images))


def _rectified(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, 0.2)


def _normed(x: jax.Array) -> jax.Array:
    return pixel_norm(_rectified(x))
