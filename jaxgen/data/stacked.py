"""Images stacked as colours: a data set whose modes are counted in the thousands and each easily told.

Stacked-MNIST of Metz et al., 2017, "Unrolled Generative Adversarial Networks", section 3.3.1: three random digits as
red, green and blue make 1,000 modes.
"""

import dataclasses

import numpy as np

from jaxgen.data.source import Dataset, Examples, Source
from jaxgen.errors import UserError

CHANNELS = 3


def stacked(data: Dataset, *, train: int = 128_000, test: int = 25_600, seed: int = 0) -> Dataset:
    """Splits of `train` and `test` examples, each made of three random ones of the same split, fixed by `seed`.

    Images are stacked when fetched; only their numbers are kept. Of MNIST, 128,000 training images have about 128 of
    every mode.

    Fields: "image" `[height, width, 3]`, "label" int32 `[3]`, the label of each channel.

    Args:
      data: fields "image" `[height, width, 1]` and "label" int `[]`.
      train: training examples.
      test: held-out examples.
      seed: of the choice.

    Raises:
      UserError: the images have no labels, or more than one channel.
    """
    return Dataset(_source(data.train, train, (seed, 0)), _source(data.test, test, (seed, 1)))


@dataclasses.dataclass(frozen=True)
class _Stacked:
    """The examples with the numbers `parts`, `[examples, 3]`, stacked."""

    source: Source
    parts: np.ndarray

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return _stack(self.source[self.parts[ids].reshape(-1)])


def _source(source: Source, count: int, seed: tuple[int, int]) -> Source:
    def load() -> _Stacked:
        rng = np.random.default_rng(seed)
        return _Stacked(source, rng.integers(len(source), size=(count, CHANNELS)))

    def describe() -> Examples:
        example = source.describe()
        if "label" not in example or example["image"].shape[3] != 1:
            raise UserError(f"{source.name} cannot be stacked; take labelled images of one channel.")
        return _stack({field: x.repeat(CHANNELS, axis=0) for field, x in example.items()})

    return Source(f"stacked_{source.name}", source.split, describe, load, lambda: source.fields, source.fingerprint)


def _stack(examples: Examples) -> Examples:
    """Each three in a row as one."""
    images = examples["image"]
    colours = images.reshape(-1, CHANNELS, *images.shape[1:3]).transpose(0, 2, 3, 1)
    return {"image": colours, "label": examples["label"].reshape(-1, CHANNELS)}
