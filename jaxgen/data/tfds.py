"""Data sets of TensorFlow Datasets, read without TensorFlow."""

import contextlib
import dataclasses
import functools
import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from jaxgen.data.pictures import MEMORY_BYTES, square
from jaxgen.data.source import Dataset, Examples, Memory, Source, Table
from jaxgen.errors import UserError
from jaxgen.fields import Field
from jaxgen.fields import image as levels_of
from jaxgen.fields import label as classes_of


def images(name: str, *, size: int | None = None, held_out: str = "test", data_dir: str | None = None) -> Dataset:
    """The split "train" and a held-out one of the TFDS image set `name`, e.g. "mnist", "cifar10".

    A split of up to 512 MiB of decoded images is decoded when first used and kept in memory; a larger one is read and
    decoded batch by batch. A set that is not prepared is downloaded by TFDS, which needs TensorFlow to prepare sets,
    though not to read them.

    Fields: "image" `[height, width, channels]` of the set's own type, mostly uint8; "label" int32 `[]` where the set
    has classes.

    Args:
      name: as TFDS spells it, with a version or config if wanted ("mnist:3.0.1").
      size: height and width to which the square in the middle of each image is resized, bicubically and without
        aliasing; needed for sets whose images vary in size.
      held_out: split to evaluate on, e.g. "validation" where "test" has no labels.
      data_dir: folder of prepared sets; None is `$TFDS_DATA_DIR`, read at first use, else `~/tensorflow_datasets`.

    Raises:
      UserError: at first use: no such set, not prepared and not to be had, no images, images of varying size and no
        `size` for them, or a type that resizing or labels cannot have.
    """

    def source(split: str) -> Source:
        return Source(
            name,
            split,
            lambda: _describe(name, data_dir, size),
            lambda: _load(name, data_dir, split, size),
            lambda: _declare(name, data_dir),
        )

    return Dataset(source("train"), source(held_out))


@dataclasses.dataclass(frozen=True)
class _OnDisk:
    """A table read and decoded a batch at a time; batched reads are four times as fast as single ones."""

    records: Any
    example: Examples
    size: int | None

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        records = self.records.__getitems__(ids.tolist())
        if self.size is not None:
            records = [{**record, "image": square(record["image"], self.size)} for record in records]
        return {f: np.stack([r[f] for r in records]).astype(x.dtype, copy=False) for f, x in self.example.items()}


def _describe(name: str, data_dir: str | None, size: int | None) -> Examples:
    features = _builder(name, folder_of(data_dir)).info.features
    shape: tuple[Any, ...] = (features["image"].shape if "image" in features else None) or (None,)
    if size is not None and len(shape) == 3:
        shape = (size, size, shape[2])
    if None in shape:
        raise UserError(
            f"The data set {name!r} has no field 'image' of one fixed size; choose an image set that has, or in code a "
            "size for its images."
        )
    dtype = np.dtype(features["image"].np_dtype)
    if size is not None and dtype != np.uint8:
        raise UserError(f"The images of {name!r} are {dtype}, and only uint8 ones are resized; leave the size out.")
    example: Examples = {"image": np.zeros((1, *shape), dtype)}
    if _classes(name, data_dir) is not None:
        example["label"] = np.zeros(1, np.int32)
    return example


def _classes(name: str, data_dir: str | None) -> int | None:
    """How many classes the set's labels have; None where it has none."""
    features = _builder(name, folder_of(data_dir)).info.features
    return getattr(features["label"], "num_classes", None) if "label" in features else None


def _declare(name: str, data_dir: str | None) -> dict[str, Field]:
    dtype = np.dtype(_builder(name, folder_of(data_dir)).info.features["image"].np_dtype)
    fields = {"image": levels_of(int(np.iinfo(dtype).max) + 1) if dtype.kind == "u" else Field()}
    classes = _classes(name, data_dir)
    return fields if classes is None else {**fields, "label": classes_of(classes)}


def _load(name: str, data_dir: str | None, split: str, size: int | None) -> Table:
    example = _describe(name, data_dir, size)
    table = _OnDisk(records(name, data_dir=data_dir, split=split), example, size)
    with _quiet():
        table[np.zeros(1, int)]  # TFDS logs which decoder it chose at the first record; have that done in the quiet
        if len(table) * example["image"].nbytes > MEMORY_BYTES:
            return table
        arrays = {field: np.empty((len(table), *x.shape[1:]), x.dtype) for field, x in example.items()}
        for start in range(0, len(table), 1024):
            chunk = table[np.arange(start, min(start + 1024, len(table)))]
            for field, x in chunk.items():
                arrays[field][start : start + len(x)] = x
        return Memory(arrays)


def records(name: str, *, split: str, data_dir: str | None = None) -> Sequence[dict[str, Any]]:
    """The records of a split as TFDS has them, prepared if need be; arguments and errors as for `images`."""
    builder = _builder(name, folder_of(data_dir))
    with _quiet():
        prepared = builder.is_prepared()
    if not prepared:
        _prepare(builder, name, folder_of(data_dir))
    with _quiet():
        if split not in builder.info.splits:
            raise UserError(f"The data set {name!r} has no split {split!r}; it has {', '.join(builder.info.splits)}.")
        return builder.as_data_source(split=split)


def is_there(name: str, data_dir: str | None = None) -> bool:
    """Whether a set of that name is prepared."""
    return os.path.isdir(os.path.join(folder_of(data_dir), *name.split(":")[0].split("/")))


def folder_of(data_dir: str | None) -> str:
    """Where prepared sets are."""
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or os.path.join("~", "tensorflow_datasets")
    return os.path.abspath(os.path.expanduser(folder))


@functools.cache
def _builder(name: str, folder: str) -> Any:
    import tensorflow_datasets  # imported late: constructing an experiment should not pay for it
    from tensorflow_datasets.core.registered import DatasetNotFoundError

    with _quiet():
        try:
            return tensorflow_datasets.builder(name, data_dir=folder, file_format="array_record")
        except DatasetNotFoundError as error:
            raise UserError(
                f"TensorFlow Datasets knows no data set {name!r}, nor is one prepared in {folder}; "
                "check the spelling against https://www.tensorflow.org/datasets/catalog."
            ) from error
        except (AssertionError, ValueError) as error:  # how TFDS says "no such version", "config" and "file format"
            remedy = f"correct the name, or name another folder than {folder} if it was prepared there as tfrecord"
            raise UserError(f"TensorFlow Datasets cannot open {name!r} ({_reason(error)}); {remedy}.") from error


def _prepare(builder: Any, name: str, folder: str) -> None:
    missing = f"The data set {name!r} is not prepared in {folder}"
    elsewhere = "give the folder that holds it with --data-dir or TFDS_DATA_DIR"
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(f"{missing}, and preparing it needs TensorFlow: {elsewhere}, or `pip install tensorflow`.")
    try:
        builder.download_and_prepare()
    except Exception as error:  # the network, the disk, the host's licence page: TFDS wraps them in all sorts
        raise UserError(f"{missing}, and getting it failed ({_reason(error)}): {elsewhere}, or try again.") from error


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides TFDS's advice about decoders and record groups: correct data, nothing for the reader to do."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)
