"""What the rest of the library sees of a data set: examples fetched by number, nothing read before the first fetch."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Protocol

import jax
import numpy as np

Examples = dict[str, np.ndarray]  # field -> [batch, ...]
Transform = Callable[[Examples], Examples]


class Table(Protocol):
    """Loaded examples: how many, and those with the numbers `ids`, int `[batch]`, as `field -> [batch, ...]`."""

    def __len__(self) -> int: ...

    def __getitem__(self, ids: np.ndarray) -> Examples: ...


@dataclasses.dataclass(frozen=True)
class Memory:
    """A table of arrays in memory, `field -> [examples, ...]`."""

    arrays: Examples

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return {field: array.take(ids, axis=0) for field, array in self.arrays.items()}


@dataclasses.dataclass(frozen=True)
class _Mapped:
    """Another source's examples, transformed as they are fetched."""

    source: "Source"
    transform: Transform

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return self.transform(self.source[ids])


@dataclasses.dataclass(frozen=True)
class _Beside:
    """A source's examples, each beside one of another source, whose fields' names get a prefix."""

    source: "Source"
    other: "Source"
    prefix: str

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return _merge(self.source[ids], self.other[ids % len(self.other)], self.prefix)


def _merge(examples: Examples, others: Examples, prefix: str) -> Examples:
    return {**examples, **{prefix + field: x for field, x in others.items()}}


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """One split of a data set: `len(source)` examples, `source[ids]` those with the numbers `ids`.

    Making a source reads nothing and needs no data on disk; the first `len` or fetch loads it, once. What an example
    looks like is known before that, from `spec`.

    Attributes:
      name: the data set, e.g. "mnist".
      split: "train", "validation" or "test".
      describe: gives one example of the right shapes and types, `field -> [1, ...]`, without reading data.
      load: opens the data.
    """

    name: str
    split: str
    describe: Callable[[], Examples]
    load: Callable[[], Table]

    @functools.cached_property
    def spec(self) -> dict[str, jax.ShapeDtypeStruct]:
        """`field -> shape and dtype` of one example, without the batch axis."""
        return {field: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for field, x in self.describe().items()}

    @functools.cached_property
    def _table(self) -> Table:
        return self.load()

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        """The examples with the numbers `ids`, int `[batch]`, as `field -> [batch, ...]`."""
        return self._table[ids]

    def map(self, transform: Transform) -> "Source":
        """This source with `transform` applied to every batch as it is fetched: for cheap fixed conversions."""
        return dataclasses.replace(
            self, describe=lambda: transform(self.describe()), load=lambda: _Mapped(self, transform)
        )

    def beside(self, other: "Source", prefix: str) -> "Source":
        """This source, each example beside one of another's, in turn, as fields `prefix + name`.

        For a method that needs two kinds of data in a batch, such as a validation set that something is fitted to.
        """
        return dataclasses.replace(
            self,
            describe=lambda: _merge(self.describe(), other.describe(), prefix),
            load=lambda: _Beside(self, other, prefix),
        )

    def map_once(self, transform: Transform) -> "Source":
        """This source with `transform` applied once, to all examples together, and the result kept in memory.

        For what should not be repeated every epoch (padding) or must not be drawn anew (static binarization). It runs
        when the data is first used and holds the whole split in memory.
        """
        return dataclasses.replace(
            self,
            describe=lambda: transform(self.describe()),
            load=lambda: Memory(transform(self[np.arange(len(self))])),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """The splits of a data set; transforms apply to all alike.

    Attributes:
      train: what is trained on.
      test: what is held out.
      validation: what choices are made on, such as when to end training; None where nothing is set apart for them.
    """

    train: Source
    test: Source
    validation: Source | None = None

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.train.name

    @property
    def spec(self) -> dict[str, jax.ShapeDtypeStruct]:
        """`field -> shape and dtype` of one example, without the batch axis; reads no data."""
        return self.train.spec

    def map(self, transform: Transform) -> "Dataset":
        """`Source.map` on every split."""
        return self._each(lambda source: source.map(transform))

    def map_once(self, transform: Transform) -> "Dataset":
        """`Source.map_once` on every split."""
        return self._each(lambda source: source.map_once(transform))

    def _each(self, change: Callable[[Source], Source]) -> "Dataset":
        validation = None if self.validation is None else change(self.validation)
        return Dataset(change(self.train), change(self.test), validation)
