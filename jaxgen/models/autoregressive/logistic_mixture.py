"""Image models that give a pixel's channels as one mixture of discretized logistics."""

import jax
import jax.numpy as jnp

from jaxgen.losses import pixel_mixture
from jaxgen.losses.arrays import sum_event_axes
from jaxgen.losses.pixel_mixture import PixelMixture
from jaxgen.models.autoregressive.contract import AutoregressiveModel


class LogisticMixture(AutoregressiveModel):
    """Images `[batch, height, width, channels]`; a subclass defines `raw`, and the rest is `losses.pixel_mixture`.

    Training goes by the joint probability of a pixel, in which levels are never enumerated; logits, by which samples
    are drawn and files coded, are the same model's conditionals of one channel after the other.

    Attributes:
      components: of a pixel's mixture.
    """

    components: int = 10

    def raw(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        """Parameters `[batch, height, width, numbers(channels, components)]` from the pixels before each."""
        raise NotImplementedError

    def _mixture(self, x: jax.Array, condition: jax.Array | None) -> tuple[jax.Array, PixelMixture]:
        """Pixels in [-1, 1], and their mixtures."""
        raw = self.raw(x, condition)
        mixture = pixel_mixture.unpacked(raw, x.shape[-1], self.components)
        return x.astype(mixture.means.dtype) * (2 / (self.levels - 1)) - 1, mixture

    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        return pixel_mixture.conditionals(*self._mixture(x, condition), levels=self.levels)

    def log_prob(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        return sum_event_axes(pixel_mixture.log_prob(*self._mixture(x, condition), levels=self.levels))

    def numbers(self, x: jax.Array) -> int:
        """Of a pixel's parameters."""
        return pixel_mixture.numbers(x.shape[-1], self.components)


def concat_elu(x: jax.Array) -> jax.Array:
    """ELU of x and of -x, `[..., 2 * width]`: both signs go on."""
    return jax.nn.elu(jnp.concatenate([x, -x], axis=-1))
