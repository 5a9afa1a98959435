"""BigGAN: a class-conditional residual GAN for large batches and many channels.

Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", appendix B, for 128x128 and
256x256; 32x32 and 64x64 are as in the authors' later release. Latents are cut into chunks of 20: one makes the 4x4 map;
each of the others, with an embedding of the label that all share, conditions a block's batch normalizations. Weights
start orthogonal and are spectrally normalized in both networks, but for the shared embedding.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.errors import UserError
from jaxgen.layers.spectral_norm import SpectralDense
from jaxgen.models.adversarial.resnet_gan import Discriminator, Trunk, spectral

CHUNK = 20  # numbers of the latent that each part of the generator gets
_ORTHOGONAL = nn.initializers.orthogonal()


class _Blocks(NamedTuple):
    """Channels in multiples of the width: of the generator's maps from 4x4 up, and of the discriminator's blocks."""

    generator: Sequence[int]
    discriminator: Sequence[int]
    halvings: int
    attention: int | None


_BLOCKS = {
    32: _Blocks((4, 4, 4, 4), (4, 4, 4, 4), 2, None),
    64: _Blocks((16, 16, 8, 4, 2), (1, 2, 4, 8, 16), 4, 32),
    128: _Blocks((16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5, 64),
    256: _Blocks((16, 16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16, 16), 6, 64),
}


def _blocks(size: int) -> _Blocks:
    if size not in _BLOCKS:
        raise UserError(f"image size {size}: BigGAN has blocks for {', '.join(map(str, _BLOCKS))}; resize first.")
    return _BLOCKS[size]


def latent_size(size: int) -> int:
    """Length of z for images of this height and width: 120 at 128x128.

    Raises:
      UserError: there are no blocks for this size.
    """
    return CHUNK * len(_blocks(size).generator)


class Generator(nn.Module):
    """Latents `[batch, latent_size(height)]` and labels `[batch]` to images `[batch, height, width, channels]`.

    Attributes:
      image_shape: (height, width, channels); height = width, one of 32, 64, 128, 256.
      classes: how many labels there are.
      width: channels of the blocks' table are multiples of it; the paper's largest is 96.
      embedding: length of the labels' shared embedding.
      dtype: of the computation; parameters and batch statistics stay float32.
    """

    image_shape: tuple[int, int, int] = (128, 128, 3)
    classes: int = 1000
    width: int = 96
    embedding: int = 128
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array, *, train: bool) -> jax.Array:
        """Generates, in [-1, 1]; `train` normalizes by the batch."""
        blocks = _blocks(self.image_shape[0])
        embed = nn.Embed(self.classes, self.embedding, embedding_init=_ORTHOGONAL, dtype=self.dtype, name="embed")
        first, *others = jnp.split(z, z.shape[-1] // CHUNK, -1)
        shared = embed(label)
        conditions = [jnp.concatenate([shared, chunk.astype(shared.dtype)], -1) for chunk in others]
        trunk = Trunk(
            self.image_shape,
            tuple(self.width * multiple for multiple in blocks.generator),
            spectral(_ORTHOGONAL, self.dtype),
            functools.partial(SpectralDense, use_bias=False, kernel_init=_ORTHOGONAL),
            blocks.attention,
            name="trunk",
        )
        return trunk(first, conditions, train)


def discriminator(size: int, classes: int = 1000, width: int = 96, dtype: Any = None) -> Discriminator:
    """The discriminator of `(images, label, *, train) -> logits`, for images of this height and width.

    Raises:
      UserError: there are no blocks for this size.
    """
    blocks = _blocks(size)
    widths = tuple(width * multiple for multiple in blocks.discriminator)
    return Discriminator(widths, blocks.halvings, classes, blocks.attention, _ORTHOGONAL, dtype)
