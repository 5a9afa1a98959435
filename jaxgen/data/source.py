"""What the rest of the library sees of a data set: examples fetched by number, nothing read before the first fetch."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from jaxgen.errors import UserError
from jaxgen.fields import Field, Fields

Examples = dict[str, np.ndarray]  # field -> [batch, ...]
UNLIMITED = 2**62  # the length of a source without end
Shapes = dict[str, Any]  # field -> jax.ShapeDtypeStruct, or stream -> such a dict
Transform = Callable[[Examples], Examples]  # may have a method `declare(fields) -> fields`, of the values it makes


@runtime_checkable
class Declares(Protocol):
    """A transform that knows what values it makes."""

    def declare(self, fields: Mapping[str, Field]) -> Mapping[str, Field]:
        """What it makes of fields that have the values `fields`."""
        ...


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
      declare: what values the fields have, as far as it is known, `field -> Field`.
      fingerprint: what tells a user's own files from others, or from themselves at another time.
    """

    name: str
    split: str
    describe: Callable[[], Examples]
    load: Callable[[], Table]
    declare: Callable[[], Mapping[str, Field]] = dict
    fingerprint: Callable[[], Mapping[str, Any]] = dict

    def __repr__(self) -> str:
        try:
            return f"<{self.name}/{self.split}: {_described(self.spec)}>"
        except UserError:  # data that are not there have no shapes, but a name
            return f"<{self.name}/{self.split}>"

    @functools.cached_property
    def spec(self) -> Shapes:
        """`field -> shape and dtype` of one example, without the batch axis."""
        return {field: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for field, x in self.describe().items()}

    def batch_spec(self, batch_size: int) -> Shapes:
        """`field -> shape and dtype` of a batch as it is read, `[batch, ...]`, before `on_device`."""
        spec = self.reads.spec
        return {field: jax.ShapeDtypeStruct((batch_size, *x.shape), x.dtype) for field, x in spec.items()}

    @property
    def reads(self) -> "Source":
        """What batches are read of: this source, unless they are made on the device."""
        return self

    @property
    def on_device(self) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """What the compiled step makes of a batch as it is read, before a method sees it; None leaves it as it is."""
        return None

    @functools.cached_property
    def fields(self) -> Fields:
        """`field -> Field`, what values it has, of those that are declared."""
        return dict(self.declare())

    @functools.cached_property
    def _table(self) -> Table:
        return self.load()

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        """The examples with the numbers `ids`, int `[batch]`, as `field -> [batch, ...]`."""
        return self._table[ids]

    def map(self, transform: Transform) -> "Source":
        """This source with `transform` applied to every batch as it is fetched: for cheap fixed conversions.

        What is declared of a field stays so where the transform hands it on as it is, or has a method `declare`.
        """
        return self._changed(transform, lambda: _Mapped(self, transform))

    def _changed(self, transform: Transform, load: Callable[[], Table]) -> "Source":
        def declare() -> Mapping[str, Field]:
            before = self.describe()
            after = transform(before)
            if isinstance(transform, Declares):
                return {name: field for name, field in transform.declare(self.fields).items() if name in after}
            return {name: field for name, field in self.fields.items() if name in after and after[name] is before[name]}

        return dataclasses.replace(self, describe=lambda: transform(self.describe()), load=load, declare=declare)

    def map_once(self, transform: Transform) -> "Source":
        """This source with `transform` applied once, to all examples together, and the result kept in memory.

        For what should not be repeated every epoch (padding) or must not be drawn anew (static binarization). It runs
        when the data is first used and holds the whole split in memory.

        Raises:
          UserError: at first use, when the source has no end.
        """

        def load() -> Memory:
            if len(self) == UNLIMITED:
                raise UserError(f"{self.name}/{self.split} has no end, and map_once takes all of it; use map.")
            return Memory(transform(self[np.arange(len(self))]))

        return self._changed(transform, load)


def _described(spec: Mapping[str, Any]) -> str:
    """Fields with types and shapes, as in "image uint8[28, 28, 1], label int32[]"."""
    return ", ".join(
        f"{name} ({_described(x)})" if isinstance(x, Mapping) else f"{name} {x.dtype}{list(x.shape)}"
        for name, x in spec.items()
    )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Streams(Source):
    """Sources that are read side by side, each in its own order: a batch is `{stream: {field: [its size, ...]}}`.

    Attributes:
      sources: the streams by name.
      batch_sizes: of the streams whose batches are not as large as the run's.
    """

    sources: Mapping[str, Source] = dataclasses.field(kw_only=True)
    batch_sizes: Mapping[str, int] = dataclasses.field(kw_only=True)

    @classmethod
    def of(cls, sources: Mapping[str, Source], batch_sizes: Mapping[str, int]) -> "Streams":
        """Of sources of one split."""
        names = list(dict.fromkeys(source.name for source in sources.values()))
        return cls(
            "+".join(names),
            next(iter(sources.values())).split,
            cls._refuse,
            cls._refuse,
            fingerprint=lambda: {name: source.fingerprint() for name, source in sources.items()},
            sources=sources,
            batch_sizes=batch_sizes,
        )

    @staticmethod
    def _refuse() -> Any:
        raise UserError("streams have no examples or fields in common; do it to one of them, before `Dataset.streams`.")

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return self._refuse()

    def map(self, transform: Transform) -> Source:
        """Refused: transforms are of one stream."""
        return self._refuse()

    def map_once(self, transform: Transform) -> Source:
        """Refused: transforms are of one stream."""
        return self._refuse()

    def __len__(self) -> int:
        return min(sum(map(len, self.sources.values())), UNLIMITED)

    @functools.cached_property
    def spec(self) -> Shapes:
        """`stream -> field -> shape and dtype` of one example, without the batch axis."""
        return {name: source.spec for name, source in self.sources.items()}

    @property
    def on_device(self) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """What the compiled step makes of the streams there are in a batch."""
        each = {name: source.on_device for name, source in self.sources.items() if source.on_device is not None}
        if not each:
            return None
        return lambda batch: {name: each.get(name, dict)(stream) for name, stream in batch.items()}

    @functools.cached_property
    def fields(self) -> Fields:
        """`stream -> field -> Field`."""
        return {name: source.fields for name, source in self.sources.items()}

    def batch_size(self, stream: str, default: int) -> int:
        """Of a stream: its own, or the run's."""
        return self.batch_sizes.get(stream, default)

    def batch_spec(self, batch_size: int) -> Shapes:
        """`stream -> field -> shape and dtype` of a batch."""
        return {name: source.batch_spec(self.batch_size(name, batch_size)) for name, source in self.sources.items()}


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

    @staticmethod
    def streams(batch_sizes: Mapping[str, int] = {}, /, **data: "Dataset | Source") -> "Dataset":
        """Several data sets side by side: `Dataset.streams(photos=a, drawings=b)` gives `batch["photos"]["image"]`.

        Each stream has its own order, drawn from the seed and its name, so that which examples meet is chance, and its
        own epochs: every example is seen once in each. Held-out examples are evaluated a stream at a time, as batches
        of that stream alone.

        Args:
          batch_sizes: `{"photos": 32}` where a stream's batches shall not be as large as the run's.
          **data: the streams by name; a `Source` is trained on alone, nothing of it being held out.

        Raises:
          UserError: a batch size is that of no stream, or none has held-out examples.
        """
        if unknown := sorted(set(batch_sizes) - set(data)):
            raise UserError(f"batch_sizes names {unknown[0]!r}, which is no stream; choose {' or '.join(data)}.")
        sets = {name: each for name, each in data.items() if isinstance(each, Dataset)}
        if not sets:
            raise UserError(f"the streams {', '.join(data)} hold nothing out; make one of them a Dataset.")
        train = {name: each.train if isinstance(each, Dataset) else each for name, each in data.items()}
        test = {name: each.test for name, each in sets.items()}
        validation = {name: each.validation for name, each in sets.items() if each.validation is not None}
        return Dataset(
            Streams.of(train, batch_sizes),
            Streams.of(test, batch_sizes),
            Streams.of(validation, batch_sizes) if validation else None,
        )

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.train.name

    @property
    def spec(self) -> Shapes:
        """`field -> shape and dtype` of one example, without the batch axis, by stream if there are; reads no data."""
        return self.train.spec

    @property
    def fields(self) -> Fields:
        """`field -> Field`, what values are declared, by stream if there are."""
        return self.train.fields

    def fingerprint(self) -> Mapping[str, Any]:
        """What tells a user's own files from others, by stream if there are; reads their names and sizes."""
        return self.train.fingerprint()

    @property
    def on_device(self) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """What the compiled step makes of a batch as it is read, before a method sees it; None leaves it as it is."""
        return self.train.on_device

    def map(self, transform: Transform) -> "Dataset":
        """`Source.map` on every split."""
        return self._each(lambda source: source.map(transform))

    def map_once(self, transform: Transform) -> "Dataset":
        """`Source.map_once` on every split."""
        return self._each(lambda source: source.map_once(transform))

    def _each(self, change: Callable[[Source], Source]) -> "Dataset":
        validation = None if self.validation is None else change(self.validation)
        return Dataset(change(self.train), change(self.test), validation)
