"""SAGAN: a residual GAN that attends to itself, with spectral normalization in both networks.

Zhang et al. 2019, "Self-Attention Generative Adversarial Networks": conditional batch normalization, a projection
discriminator, and attention at one size of map in each network.
"""

from typing import Any

from jaxgen.layers.conv import doublings
from jaxgen.models.adversarial.resnet_gan import Discriminator, Generator, spectral


def generator(
    image_shape: tuple[int, int, int], width: int, classes: int | None = None, attention: int = 32, dtype: Any = None
) -> Generator:
    """The generator of `(z, label, *, train) -> images`.

    Args:
      image_shape: (height, width, channels); height = width, a power of two from 8 up.
      width: channels of the largest map; each smaller one has twice as many, at most 16 times.
      classes: how many labels there are; None for a generator without.
      attention: side of the map that attends to itself.
      dtype: of the computation; parameters stay float32.
    """
    stages = doublings(*image_shape[:2])
    widths = tuple(width * min(16, 2**stage) for stage in range(stages, -1, -1))
    return Generator(image_shape, widths, classes, spectral(dtype=dtype), attention)


def discriminator(
    size: int, width: int, classes: int | None = None, attention: int = 32, dtype: Any = None
) -> Discriminator:
    """The discriminator of `(images, label, *, train) -> logits`.

    Args:
      size: height and width of the images, a power of two from 8 up.
      width: channels of the first block; each later one has twice as many, at most 16 times.
      classes: how many labels there are; None for a discriminator without.
      attention: side of the map that attends to itself.
      dtype: of the computation; parameters stay float32.
    """
    stages = doublings(size, size)
    widths = tuple(width * min(16, 2**stage) for stage in range(stages))
    return Discriminator((*widths, widths[-1]), stages, classes, attention, dtype=dtype)
