"""One's own data: arrays in memory, and files that hold them."""

import csv
import math
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.errors import UserError
from jaxgen.fields import Field, image, label

SUFFIXES = (".npy", ".npz", ".csv")
_NAMES = {"images": "image", "labels": "label"}  # as files and arguments are called, and as methods call the fields


def arrays(
    *,
    images: Any = None,
    labels: Any = None,
    x: Any = None,
    test: Mapping[str, Any] | None = None,
    held_out: float = 0.1,
    fields: Mapping[str, Field] = {},
    name: str = "arrays",
) -> Dataset:
    """A data set of arrays in memory: `arrays(images=x, labels=y).map(signed_unit())`.

    Fields: "image" `[height, width, channels]`, "label" int32 `[]`, "x" float32 `[...]`, of those that are given.

    Args:
      images: `[examples, height, width]` or `[examples, height, width, channels]`: whole numbers from 0, of which uint8
        has 256 levels, uint16 65536 and bool 2; or numbers from 0 to 1, or from -1 to 1.
      labels: whole numbers from 0, `[examples]`; -1 where an example has none.
      x: `[examples, ...]`, real numbers.
      test: held-out examples, `{"images": ..., "labels": ...}`; None sets some of the others apart.
      held_out: which share of the examples, drawn once for all runs.
      fields: what values they have, `{"image": Field(0, 16, 17)}`, where their type and range do not tell.
      name: of the data set.

    Raises:
      UserError: nothing is given, lengths or shapes do not fit, or values are none that a field can have.
    """
    given = {"images": images, "labels": labels, "x": x}
    train, declared = _examples({key: value for key, value in given.items() if value is not None}, fields)
    if test is not None:
        held, _ = _examples(test, declared)
        if {key: value.shape[1:] for key, value in held.items()} != {key: x.shape[1:] for key, x in train.items()}:
            raise UserError("test has other fields or shapes than the training arrays; give it the same.")
    else:
        out, rest = apart(len(next(iter(train.values()))), held_out)
        train, held = ({key: value[ids] for key, value in train.items()} for ids in (rest, out))

    def source(split: str, examples: Examples) -> Source:
        example = {key: np.zeros_like(value[:1]) for key, value in examples.items()}
        return Source(name, split, lambda: example, lambda: Memory(examples), lambda: declared, lambda: _sum(examples))

    return Dataset(source("train", train), source("test", held))


def file(path: Path, *, held_out: float = 0.1) -> Dataset:
    """A data set of a `.npy`, `.npz` or `.csv` file.

    An array of three or four axes is images, of one or two "x". A `.npz` holds arrays "images", "labels" or "x". A
    `.csv` holds numbers; its first line may name the columns, of which "label" is the label and the others are "x".

    Args:
      path: the file.
      held_out: which share of the examples is held out.

    Raises:
      UserError: the file cannot be read, or holds something else.
    """
    readers: dict[str, Callable[[Path], dict[str, Any]]] = {".npy": _npy, ".npz": _npz, ".csv": _csv}
    try:
        found = readers[path.suffix.lower()](path)
    except UserError:
        raise
    except Exception as error:  # NumPy's readers raise all sorts
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise UserError(f"{path} cannot be read ({reason}); mend the file, or name another.") from error
    try:
        return arrays(**found, held_out=held_out, name=path.stem)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _examples(given: Mapping[str, Any], fields: Mapping[str, Field]) -> tuple[Examples, dict[str, Field]]:
    """Arrays as fields, and what they are declared to be."""
    if not given:
        raise UserError("no arrays are given; give images, x or labels.")
    makers = {"images": _images, "labels": _labels, "x": _x}
    if unknown := sorted(set(given) - set(makers)):
        raise UserError(f"an array is called {unknown[0]!r}; call it images, labels or x.")
    examples: Examples = {}
    declared: dict[str, Field] = {}
    for key, value in given.items():
        field = _NAMES.get(key, key)
        if not np.asarray(value).size:
            raise UserError(f"{key} have the shape {list(np.shape(value))}, nothing; give at least 2 examples.")
        examples[field], declared[field] = makers[key](np.asarray(value), fields.get(field))
    lengths = {key: len(x) for key, x in examples.items()}
    if len(set(lengths.values())) > 1:
        each = " and ".join(f"{count} of {field}" for field, count in lengths.items())
        raise UserError(f"there are {each}; give as many of each.")
    if min(lengths.values()) < 2:
        raise UserError(f"there are {min(lengths.values())} examples; give at least 2, of which one is held out.")
    return examples, declared


def _images(x: np.ndarray, field: Field | None) -> tuple[np.ndarray, Field]:
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise UserError(f"images have the shape {list(x.shape)}; make it [examples, height, width, channels].")
    if x.shape[3] > 4 >= x.shape[1]:
        raise UserError(f"images have the shape {list(x.shape)}, channels first; put them last.")
    if x.dtype == bool:
        return x.astype(np.uint8), field or image(2)
    if x.dtype in (np.uint8, np.uint16):
        return x, field or image(int(np.iinfo(x.dtype).max) + 1)
    if not np.issubdtype(x.dtype, np.number) or np.issubdtype(x.dtype, np.complexfloating):
        raise UserError(f"images are {x.dtype}; make them uint8, or numbers from -1 to 1.")
    if not np.isfinite(x).all():
        raise UserError(f"images have the value {x[~np.isfinite(x)].flat[0]}; take it out.")
    if np.issubdtype(x.dtype, np.floating):
        x = x.astype(np.float32)
    low, high = float(x.min()), float(x.max())
    if field is None and np.issubdtype(x.dtype, np.floating) and low >= -1 and high <= 1:
        return x, Field(0 if low >= 0 else -1, 1, layout="height width channels")
    if field is None:
        raise UserError(
            f"images are {x.dtype} from {low:g} to {high:g}; make them uint8 or numbers from -1 to 1, or say what they "
            'are, as fields={"image": Field(0, 16, levels=17)}.'
        )
    return x, field


def _labels(x: np.ndarray, field: Field | None) -> tuple[np.ndarray, Field]:
    if x.ndim != 1 or not np.issubdtype(x.dtype, np.number) or not (x == np.floor(x)).all():
        raise UserError(f"labels are {x.dtype} {list(x.shape)}; make them whole numbers, one an example.")
    low, high = int(x.min()), int(x.max())
    if low < -1 or high < 0 or high >= 2**31 - 1 or (field is None and not (x == 0).any()):
        raise UserError(f"labels are from {low} to {high}; number the classes from 0, and -1 for none.")
    return x.astype(np.int32), field or label(high + 1, unlabelled=low < 0)


def _x(x: np.ndarray, field: Field | None) -> tuple[np.ndarray, Field]:
    if x.ndim == 1:
        x = x[:, None]
    if not np.issubdtype(x.dtype, np.number) or np.issubdtype(x.dtype, np.complexfloating):
        raise UserError(f"x is {x.dtype}; make it real numbers.")
    if not np.isfinite(x).all():
        raise UserError(f"x has the value {x[~np.isfinite(x)].flat[0]}; take it out.")
    return x.astype(np.float32), field or Field()


def apart(count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the examples that are held out, at least one, and of the others, both mixed: they may be sorted."""
    if not 0 < share < 1:
        raise UserError(f"held_out is {share}; it must be between 0 and 1.")
    order = np.random.RandomState(0).permutation(count)  # RandomState, because NumPy has frozen its stream
    cut = min(max(1, round(share * count)), count - 1)
    return order[:cut], order[cut:]


def _sum(examples: Examples) -> dict[str, Any]:
    """What tells these arrays from others."""
    total = 0
    for key in sorted(examples):
        total = zlib.crc32(np.ascontiguousarray(examples[key]).view(np.uint8).reshape(-1), total)
    return {"examples": len(next(iter(examples.values()))), "crc32": f"{total:08x}"}


def _npy(path: Path) -> dict[str, Any]:
    array = np.load(path)
    return {"images" if array.ndim > 2 else "x": array}


def _npz(path: Path) -> dict[str, Any]:
    with np.load(path) as found:
        plural = {field: name for name, field in _NAMES.items()}
        names = {plural.get(name, name): name for name in map(str, found.files)}
        if unknown := sorted(set(names) - {"images", "labels", "x"}):
            raise UserError(f"{path}: an array is called {unknown[0]!r}; call it images, labels or x.")
        return {field: found[name] for field, name in names.items()}


def _csv(path: Path) -> dict[str, Any]:
    with path.open(newline="", encoding="utf-8-sig") as opened:
        rows = [row for row in csv.reader(opened) if row]
    if not rows:
        raise ValueError("it is empty")
    head = None if all(map(_is_number, rows[0])) else [name.strip().lower() for name in rows.pop(0)]
    for number, row in enumerate(rows, 1 if head is None else 2):
        if len(row) != len(rows[0]):
            raise ValueError(f"line {number} has {len(row)} columns and the first {len(rows[0])}")
        for column, cell in enumerate(row, 1):
            if not _is_number(cell) or not math.isfinite(float(cell)):
                raise ValueError(f"line {number} has {cell!r} in column {column}, which is no finite number")
    table = np.array(rows, np.float64).reshape(len(rows), -1)
    if head is None or "label" not in head:
        return {"x": table}
    column = head.index("label")
    rest = np.delete(table, column, axis=1)
    return {"labels": table[:, column], **({"x": rest} if rest.shape[1] else {})}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
