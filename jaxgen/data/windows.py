"""Windows of sequences that lie in files of one's own, text or sound: none reaches from one file into the next."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from jaxgen.data.files import check_share, fingerprint, found, held_out
from jaxgen.data.source import Dataset, Examples, Source
from jaxgen.errors import UserError
from jaxgen.fields import Field


class Windows:
    """All windows of so many numbers, `stride` apart, of sequences each for itself; a field of a table."""

    def __init__(self, field: str, sequences: Sequence[np.ndarray], length: int, stride: int):
        self._field, self._length, self._stride = field, length, stride
        self._sequences = [x for x in sequences if len(x) >= length]
        counts = [(len(x) - length) // stride + 1 for x in self._sequences]
        self._ends = np.cumsum(counts, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, ids: np.ndarray) -> Examples:
        which = np.searchsorted(self._ends, ids, side="right")
        starts = (ids - np.concatenate([[0], self._ends])[which]) * self._stride
        windows = [self._sequences[i][start : start + self._length] for i, start in zip(which, starts, strict=True)]
        return {self._field: np.stack(windows)}


def windows_of(
    path: Path,
    read: Callable[[Path], np.ndarray],
    *,
    suffixes: Sequence[str],
    field: str,
    length: int,
    share: float,
) -> Dataset:
    """A file, of whose end a share is held out, or a folder, of whose files one is, by a hash of their names.

    Training has windows at every offset; held-out ones stand side by side.

    Fields: `field` uint8 `[length]`.

    Args:
      path: the file or folder.
      read: a file's numbers, uint8 `[n]`; raises `UserError`.
      suffixes: of the files in a folder.
      field: the name.
      length: numbers in a window.
      share: held out.

    Raises:
      UserError: length or share make no sense; when first read, no file can serve.
    """
    check_share(share)
    if length < 1:
        raise UserError(f"length is {length}; it must be at least 1.")

    @functools.cache
    def files() -> list[Path]:
        if not path.is_dir():
            return [Path(path.name)]
        here = found(path, suffixes, ", ".join(suffixes))
        if len(here) < 2:
            raise UserError(
                f"{path} has {len(here)} {', '.join(suffixes)} files; it takes at least 2, or name one file."
            )
        return here

    @functools.cache
    def parts() -> dict[str, list[np.ndarray]]:
        if not path.is_dir():
            whole = read(path)
            cut = round(len(whole) * (1 - share))
            return {"train": [whole[:cut]], "test": [whole[cut:]]}
        out = held_out(files(), share)
        every = {file: read(path / file) for file in files()}
        return {
            "train": [x for file, x in every.items() if file not in out],
            "test": [x for file, x in every.items() if file in out],
        }

    def source(split: str) -> Source:
        def load() -> Windows:
            mine = parts()[split]
            if (most := max(map(len, mine), default=0)) < length:
                raise UserError(
                    f"{path} has at most {most} in a row to {split} on; make length, {length}, no more than that."
                )
            return Windows(field, mine, length, 1 if split == "train" else length)

        return Source(
            path.resolve().stem,
            split,
            lambda: {field: np.zeros((1, length), np.uint8)},
            load,
            lambda: {field: Field(0, 255, 256)},
            lambda: fingerprint(path if path.is_dir() else path.parent, files()),
        )

    return Dataset(source("train"), source("test"))
