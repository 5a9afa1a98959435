"""Some of a data set's examples: a few, or two halves that share none."""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxgen.data.source import Dataset, Examples, Source
from jaxgen.errors import UserError


@dataclasses.dataclass(frozen=True)
class _Part:
    """The examples of a source with the numbers `ids`."""

    source: Source
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return self.source[self.ids[ids]]


def part(source: Source, choose: Callable[[int], np.ndarray]) -> Source:
    """The examples with the numbers `choose(how many there are)`; nothing is read before the first is fetched."""
    return dataclasses.replace(source, load=lambda: _Part(source, choose(len(source))))


def few(data: Dataset, count: int, *, seed: int = 0) -> Dataset:
    """As many random training examples, the same in every run of one seed; what is held out stays as it is.

    Raises:
      UserError: when the data are first used, if there are fewer.
    """

    def choose(size: int) -> np.ndarray:
        if count > size:
            raise UserError(f"{data.name} has {size} examples to train on, fewer than {count}; ask for at most {size}.")
        return np.random.default_rng(seed).permutation(size)[:count]

    return dataclasses.replace(data, train=part(data.train, choose))


def halves(source: Source, *, seed: int = 0) -> tuple[Source, Source]:
    """Two sources without an example in common, every example being in one of them."""

    def choose(which: int) -> Callable[[int], np.ndarray]:
        return lambda size: np.random.default_rng(seed).permutation(size)[which::2]

    return part(source, choose(0)), part(source, choose(1))
