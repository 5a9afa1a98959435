"""Text as bytes, cut into windows: any file, or the source of Python's own standard library, always at hand."""

import functools
import hashlib
import sys
import sysconfig
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.data.source import Dataset, Examples, Source
from jaxgen.data.windows import Windows, windows_of
from jaxgen.errors import UserError
from jaxgen.fields import Field
from jaxgen.files import read_regular

SUFFIXES = (".txt", ".md", ".text")


def byte_windows(name: str, read: Callable[[], bytes], length: int, *, held_out: float = 0.05) -> Dataset:
    """Windows of `length` bytes: to train on at every offset, held out side by side, of the end of the text.

    Fields: "text" uint8 `[length]`.

    Args:
      name: of the data set.
      read: the whole text; called once.
      length: bytes of a window.
      held_out: share of the text.

    Raises:
      UserError: when first read, where either part is shorter than a window.
    """
    whole = functools.cache(lambda: np.frombuffer(read(), np.uint8))

    def fingerprint() -> Mapping[str, Any]:
        return {"bytes": len(whole()), "crc32": f"{zlib.crc32(whole()):08x}"}

    def part(split: str) -> Source:
        def load() -> Windows:
            data = whole()
            cut = round(len(data) * (1 - held_out))
            mine = data[:cut] if split == "train" else data[cut:]
            if len(mine) < length:
                raise UserError(
                    f"{name} has {len(mine)} bytes to {split} on; make length, {length}, no more than that."
                )
            return Windows("text", [mine], length, 1 if split == "train" else length)

        def describe() -> Examples:
            return {"text": np.zeros((1, length), np.uint8)}

        return Source(name, split, describe, load, lambda: {"text": Field(0, 255, 256)}, fingerprint)

    return Dataset(train=part("train"), test=part("test"))


def text(path: Path | str, *, length: int, held_out: float = 0.1) -> Dataset:
    """Windows of the bytes of a text file, whose end is held out, or of a folder's text files, of which some are.

    Fields: "text" uint8 `[length]`.

    Args:
      path: a file, or a folder of files that end in `SUFFIXES`.
      length: bytes of a window.
      held_out: share of the file, or of the files.

    Raises:
      UserError: length or share make no sense; when first read, there is no text, or less than a window of it.
    """

    def read(file: Path) -> np.ndarray:
        return np.frombuffer(file_bytes(str(file))(), np.uint8)

    return windows_of(Path(path), read, suffixes=SUFFIXES, field="text", length=length, share=held_out)


def file_bytes(path: str) -> Callable[[], bytes]:
    """Reads a file, for `byte_windows`.

    Raises:
      UserError: when called, where it cannot be read.
    """

    def read() -> bytes:
        try:
            return read_regular(path)
        except OSError as error:
            raise UserError(f"text file {path} cannot be read ({error.strerror}); name another.") from None

    return read


@functools.cache
def standard_library() -> bytes:
    """The source files of Python's standard library without tests, in the order of their names; installed with it."""
    root = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"test", "tests", "idle_test", "site-packages", "__pycache__"}
    files = sorted(p for p in root.rglob("*.py") if not skipped & set(p.relative_to(root).parts))
    return b"".join(file.read_bytes() for file in files)


def standard_library_version() -> str:
    """Which one: figures on it are of one version only."""
    return f"Python {sys.version.split()[0]}, SHA-256 {hashlib.sha256(standard_library()).hexdigest()[:12]}"
