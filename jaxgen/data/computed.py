"""Data without files: an example is a pure function of a random key, drawn on the host or inside the compiled step."""

import dataclasses
import functools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxgen.data.source import UNLIMITED, Dataset, Examples, Source, Transform
from jaxgen.fields import Field

Batch = dict[str, Any]


def generated(
    name: str,
    example: Callable[[Any], Mapping[str, Any]],
    *,
    train: int | None = None,
    test: int = 1000,
    on_device: bool = False,
    fields: Mapping[str, Field] = {},
) -> Dataset:
    """A data set whose examples are computed: example i of a split is `example` of a key made of the split and i.

    Held-out examples are thus never those of training, and every run, process and device draws the same ones. Training
    examples without end are those from a place on that the run's seed decides, each seen once.

    Args:
      name: of the data set.
      example: gives the fields of one example, arrays without a batch axis: of a `numpy.random.Generator`, in NumPy; or
        with `on_device` of a JAX key, in JAX.
      train: how many training examples there are; None for no end.
      test: how many held-out examples.
      on_device: whether examples are made inside the compiled step, where only their numbers are sent.
      fields: what values they have.
    """

    def source(split: str, count: int) -> Source:
        if on_device:
            return _on_device(name, split, count, example, fields)
        seed = zlib.crc32(split.encode())

        def draw(ids: np.ndarray) -> Examples:
            drawn = [example(np.random.default_rng((seed, int(i)))) for i in ids]
            return {field: np.stack([x[field] for x in drawn]) for field in drawn[0]}

        return Source(name, split, lambda: draw(np.zeros(1, int)), lambda: _Computed(count, draw), lambda: fields)

    return Dataset(source("train", UNLIMITED if train is None else train), source("test", test))


@dataclasses.dataclass(frozen=True)
class _Computed:
    """A table of computed examples."""

    count: int
    draw: Callable[[np.ndarray], Examples]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return self.draw(ids)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OnDevice(Source):
    """A source of which only the examples' numbers are read; `render` makes examples of them inside the compiled step.

    Fetched by number, outside of a step, it gives the same examples in NumPy.

    Attributes:
      numbers: the source that is read. Field: "number", uint32 `[3]`.
      render: a batch of those, in JAX, to the batch that a method sees.
    """

    numbers: Source = dataclasses.field(kw_only=True)
    render: Callable[[Batch], Batch] = dataclasses.field(kw_only=True)

    @property
    def reads(self) -> Source:
        """What is read of it: numbers."""
        return self.numbers

    @property
    def on_device(self) -> Callable[[Batch], Batch]:
        """`render`."""
        return self.render

    def map(self, transform: Transform) -> Source:
        """This source with `transform`, which must work on JAX arrays too, after `render`."""
        made = dataclasses.replace(self, render=lambda batch: transform(self.render(batch)))
        changed = self._changed(transform, lambda: _Rendered(made))
        return dataclasses.replace(made, describe=changed.describe, load=changed.load, declare=changed.declare)


@dataclasses.dataclass(frozen=True)
class _Rendered:
    """A table of what the device makes, in NumPy."""

    source: OnDevice

    def __len__(self) -> int:
        return len(self.source.numbers)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return jax.device_get(self._render(self.source.numbers[ids]))

    @functools.cached_property
    def _render(self) -> Callable[[Batch], Batch]:
        return jax.jit(self.source.render)


def _on_device(
    name: str,
    split: str,
    count: int,
    example: Callable[[jax.Array], Mapping[str, Any]],
    fields: Mapping[str, Field],
) -> Source:
    seed = np.uint32(zlib.crc32(split.encode()))

    def number(ids: np.ndarray) -> Examples:
        words = np.asarray(ids, np.uint64)
        parts = [np.full(len(words), seed), words >> np.uint64(32), words & np.uint64(2**32 - 1)]
        return {"number": np.stack(parts, axis=-1).astype(np.uint32)}

    def render_one(number: jax.Array) -> Mapping[str, Any]:
        return example(functools.reduce(jax.random.fold_in, number, jax.random.key(0)))

    def render(batch: Batch) -> Batch:
        return dict(jax.vmap(render_one)(batch["number"]))

    def describe() -> Examples:
        shapes = jax.eval_shape(render, number(np.zeros(1, int)))
        return {field: np.zeros(x.shape, x.dtype) for field, x in shapes.items()}

    numbers = Source(name, split, lambda: number(np.zeros(1, int)), lambda: _Computed(count, number))
    source = OnDevice(name, split, describe, numbers.load, lambda: fields, numbers=numbers, render=render)
    return dataclasses.replace(source, load=lambda: _Rendered(source))
