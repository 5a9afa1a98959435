"""Transforms of image batches, for `map` and `map_once`: each takes its settings and returns `Examples -> Examples`.

All act on the field "image", `[batch, height, width, channels]`, and leave the other fields alone.
"""

import zlib
from collections.abc import Callable

import numpy as np

from jaxgen.data.source import Examples, Transform
from jaxgen.errors import UserError


def on_image(function: Callable[[np.ndarray], np.ndarray]) -> Transform:
    """The transform that applies `function` to the field "image"."""

    def transform(examples: Examples) -> Examples:
        return {**examples, "image": function(examples["image"])}

    return transform


def pad(size: int) -> Transform:
    """Centres each image in `size` x `size` pixels of level 0; an odd pixel goes to the right and the bottom.

    28x28 digits become 32x32 with two pixels of background on every side.
    """

    def apply(images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        if max(height, width) > size:
            raise UserError(
                f"pad size={size} is smaller than the {height}x{width} images; use at least {max(height, width)}."
            )
        around = [((size - n) // 2, size - n - (size - n) // 2) for n in (height, width)]
        return np.pad(images, [(0, 0), *around, (0, 0)])

    return on_image(apply)


def enlarge(size: int) -> Transform:
    """Enlarges each image to `size` x `size` by repeating pixels, `size` being a multiple of height and width.

    Every pixel becomes a block of equal pixels, so no level that was not in the data appears, and taking every
    `size // height`-th pixel gives the original back.
    """

    def apply(images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        if size % height or size % width:
            raise UserError(f"enlarge size={size} is not a multiple of the images' {height}x{width}; use one that is.")
        return images.repeat(size // height, axis=1).repeat(size // width, axis=2)

    return on_image(apply)


def signed_unit(levels: int = 256) -> Transform:
    """Levels 0 ... levels-1 to float32 in [-1, 1]: level k becomes 2 k / (levels - 1) - 1."""

    def apply(images: np.ndarray) -> np.ndarray:
        return images * np.float32(2 / (levels - 1)) - np.float32(1)

    return on_image(apply)


def binarize(levels: int = 256, *, seed: int = 0) -> Transform:
    """Draws each pixel as 0 or 1, uint8, being 1 with probability level / (levels - 1). For `map_once`.

    Applied once to a whole split this is static binarization: the same binary images in every epoch and every run. The
    draws depend on `seed` and on the images, so the splits' draws differ.
    """

    def apply(images: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng((seed, zlib.crc32(images.tobytes())))
        # An integer below k among levels-1 equally likely ones has probability k / (levels-1) exactly.
        return (rng.integers(levels - 1, size=images.shape, dtype=np.uint8) < images).astype(np.uint8)

    return on_image(apply)
