"""Data held against what it says of itself and what a method takes of it, before anything is compiled or trained."""

import zlib
from typing import Any

import numpy as np

from jaxgen.data.source import Dataset, Source, Streams
from jaxgen.errors import UserError
from jaxgen.fields import Fields, check_batch, check_declared

_SOME = 256  # examples of a split that are looked at, evenly spaced


def check_declarations(takes: Fields, data: Dataset, *, method: str) -> None:
    """Refuses data whose declaration is not what a method takes; reads no data.

    Args:
      takes: `field -> Field`, of streams `{stream: {field: Field}}`.
      data: the data set.
      method: its name.

    Raises:
      UserError: a field is missing, or its axes, range, levels or classes are others.
    """
    check_declared(takes, data.fields, data.spec, method=method, data=data.name)


def check_examples(takes: Fields, data: Dataset, *, method: str) -> None:
    """Refuses data whose real examples are not what it declares or what a method takes: some of each split are read.

    Args:
      takes: as of `check_declarations`.
      data: the data set.
      method: its name.

    Raises:
      UserError: a shape, a type or a value is not what was said.
    """
    for source in (data.train, data.validation, data.test):
        if isinstance(source, Streams):
            for stream, each in source.sources.items():
                _check(takes.get(stream, {}), each, method)
        elif source is not None:
            _check(takes, source, method)


def digest(data: Dataset) -> Any:
    """What tells a data set from another: its name, how much there is, and a checksum of some of each split."""

    def of(source: Source) -> Any:
        if isinstance(source, Streams):
            return {name: of(each) for name, each in source.sources.items()}
        examples, total = _some(source.reads), 0
        for field in sorted(examples):
            total = zlib.crc32(np.ascontiguousarray(examples[field]).tobytes(), total)
        return [source.name, len(source), f"{total:08x}"]

    return [of(source) for source in (data.train, data.validation, data.test) if source is not None]


def _some(source: Source) -> dict[str, Any]:
    return source[np.unique(np.linspace(0, len(source) - 1, _SOME).astype(int))]


def _check(takes: Fields, source: Source, method: str) -> None:
    name = f"{source.name}/{source.split}"
    if not len(source):
        raise UserError(f"{name} has no examples; give it some.")
    examples = _some(source)
    for field, spec in source.spec.items():
        found = examples.get(field)
        if found is None or (found.shape[1:], found.dtype) != (spec.shape, spec.dtype):
            has = "is missing" if found is None else f"is {found.dtype} {list(found.shape[1:])}"
            raise UserError(
                f"{field} of {name} {has} where `describe` says {spec.dtype} {list(spec.shape)}; mend one of them."
            )
    check_batch(source.fields, examples, source.fields, who="its declaration says", data=name)
    check_batch(
        {field: taken for field, taken in takes.items() if field in examples},
        examples,
        source.fields,
        who=f"{method} takes",
        data=name,
    )
