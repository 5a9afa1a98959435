"""Transforms of image batches, for `map` and `map_once`: each takes its settings and returns `Examples -> Examples`.

All act on the field "image", `[batch, height, width, channels]`, leave the other fields alone, and say what values they
make of those that the data set declares.
"""

import dataclasses
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from jaxgen.data.source import Examples
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED, Field, image


def _same(field: Field) -> Field:
    return field


@dataclasses.dataclass(frozen=True)
class ImageTransform:
    """A transform of the field "image".

    Attributes:
      function: images to images.
      values: what values it makes of the images' values.
    """

    function: Callable[[np.ndarray], np.ndarray]
    values: Callable[[Field], Field]

    def __call__(self, examples: Examples) -> Examples:
        return {**examples, "image": self.function(examples["image"])}

    def declare(self, fields: Mapping[str, Field]) -> Mapping[str, Field]:
        """What the data set declares after the transform."""
        return {**fields, "image": self.values(fields.get("image", Field()))}


def on_image(
    function: Callable[[np.ndarray], np.ndarray], values: Callable[[Field], Field] = lambda _: Field()
) -> ImageTransform:
    """The transform that applies `function` to the field "image"; unless `values` says it, its values are unknown."""
    return ImageTransform(function, values)


def _of_levels(name: str, levels: int, made: Field) -> Callable[[Field], Field]:
    """The values that a transform of levels 0 ... levels-1 makes; other images are refused, and other numbers."""
    if not 2 <= levels <= 2**16:
        raise UserError(f"{name} levels={levels}; it must be from 2 to {2**16}.")

    def values(field: Field) -> Field:
        if (field.low, field.levels) not in ((0, levels), (None, None)):
            raise UserError(
                f"{name} has levels={levels}, from 0, where image has {field}; "
                f"{'leave it out' if field.levels is None or field.low else f'set levels to {field.levels}'}."
            )
        return made

    return values


def pad(size: int) -> ImageTransform:
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

    return on_image(apply, _same)


def enlarge(size: int) -> ImageTransform:
    """Enlarges each image to `size` x `size` by repeating pixels, `size` being a multiple of height and width.

    Every pixel becomes a block of equal pixels, so no level that was not in the data appears, and taking every
    `size // height`-th pixel gives the original back.
    """

    def apply(images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        if size % height or size % width:
            raise UserError(f"enlarge size={size} is not a multiple of the images' {height}x{width}; use one that is.")
        return images.repeat(size // height, axis=1).repeat(size // width, axis=2)

    return on_image(apply, _same)


def signed_unit(levels: int = 256) -> ImageTransform:
    """Levels 0 ... levels-1 to float32 in [-1, 1]: level k becomes 2 k / (levels - 1) - 1.

    Raises:
      UserError: `levels` is not from 2 to 65536.
    """

    def apply(images: np.ndarray) -> np.ndarray:
        return images * np.float32(2 / (levels - 1)) - np.float32(1)

    return on_image(apply, _of_levels("signed_unit", levels, dataclasses.replace(SIGNED, levels=levels)))


def binarize(levels: int = 256, *, seed: int = 0) -> ImageTransform:
    """Draws each pixel as 0 or 1, uint8, being 1 with probability level / (levels - 1).

    Applied once to a whole split, by `map_once`, this is static binarization: the same binary images in every epoch and
    every run. By `map` it is dynamic (Burda et al., 2016): the draws depend on `seed` and on the images that are drawn
    together, so that splits' draws differ, and those of an example in two batches.

    Raises:
      UserError: `levels` is not from 2 to 65536.
    """

    def apply(images: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng((seed, zlib.crc32(images.tobytes())))
        # An integer below k among levels-1 equally likely ones has probability k / (levels-1) exactly.
        drawn = rng.integers(levels - 1, size=images.shape, dtype=np.uint8 if levels <= 256 else np.uint16)
        return (drawn < images).astype(np.uint8)

    return on_image(apply, _of_levels("binarize", levels, image(2)))
