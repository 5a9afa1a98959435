"""Digits over photographs: a second domain of the same labels, made without a download.

As MNIST-M, of Ganin et al. 2016, is made of MNIST and patches of BSDS500's photographs; but those here are the two that
come with scikit-learn, so figures on one are not figures on the other.
"""

import dataclasses
import functools

import numpy as np

from jaxgen.data.source import Dataset, Examples, Source
from jaxgen.errors import UserError


@functools.cache
def photographs() -> np.ndarray:
    """scikit-learn's `china.jpg` and `flower.jpg`, uint8 `[2, 427, 640, 3]`."""
    from sklearn.datasets import load_sample_images  # imported late: it costs half a second

    return np.stack(load_sample_images().images)


def over_photographs(data: Dataset, *, seed: int = 0) -> Dataset:
    """Every image as `|patch - image|`, a patch of a photograph of its own: uint8 `[height, width, 3]`.

    Those to train on have patches of the photographs' left halves, those held out of the right ones. Which patch is a
    function of the seed and of the example's number.

    Args:
      data: fields "image" uint8 `[height, width, 1]` of 256 levels, and others, which stay.
      seed: of the patches.

    Raises:
      UserError: the images are no grey ones of 256 levels.
    """
    return Dataset(_source(data.train, (seed, 0)), _source(data.test, (seed, 1)))


@dataclasses.dataclass(frozen=True)
class _Over:
    source: Source
    seed: tuple[int, int]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        examples = self.source[ids]
        return _over(examples, np.stack([self._patch(int(i), examples["image"].shape[1:3]) for i in ids]))

    def _patch(self, number: int, size: tuple[int, int]) -> np.ndarray:
        photos = photographs()
        middle = photos.shape[2] // 2
        photos = photos[:, :, :middle] if self.seed[1] == 0 else photos[:, :, middle:]
        rng = np.random.default_rng((*self.seed, number))
        which = rng.integers(len(photos))
        top, left = (rng.integers(total - wanted + 1) for total, wanted in zip(photos.shape[1:3], size, strict=True))
        return photos[which, top : top + size[0], left : left + size[1]]


def _over(examples: Examples, patches: np.ndarray) -> Examples:
    return {**examples, "image": np.abs(patches.astype(np.int16) - examples["image"]).astype(np.uint8)}


def _source(source: Source, seed: tuple[int, int]) -> Source:
    def describe() -> Examples:
        example = source.describe()
        image = example["image"]
        if image.dtype != np.uint8 or image.shape[3] != 1:
            raise UserError(
                f"{source.name} cannot be laid over photographs; take grey images, uint8, before signed_unit."
            )
        return _over(example, np.zeros((*image.shape[:3], 3), np.uint8))

    return dataclasses.replace(
        source, name=f"{source.name}_over_photographs", describe=describe, load=lambda: _Over(source, seed)
    )
