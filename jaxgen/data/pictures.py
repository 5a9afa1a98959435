"""Images in a folder of one's own, each read once where they fit in memory, and batch by batch where they do not."""

import concurrent.futures
import dataclasses
import functools
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps

from jaxgen.data import files
from jaxgen.data.source import Dataset, Examples, Memory, Source, Table
from jaxgen.errors import UserError
from jaxgen.fields import Field, image, label

FORMATS = ("PNG", "JPEG", "WEBP")  # what Pillow may read: its other readers include some that start programs
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MEMORY_BYTES = 2**29  # a split whose images take no more than this is decoded once and kept
MOST_PIXELS = 2**26  # of a file: 8192 x 8192
_GREY = {"1", "L", "LA"}
_SIXTEEN = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}


def folder(
    path: Path | str,
    *,
    size: int | None = None,
    channels: int | None = None,
    held_out: float = 0.1,
    skip_bad: bool = False,
    say: Callable[[str], None] = functools.partial(print, file=sys.stderr),
) -> Dataset:
    """The PNG, JPEG and WebP files of a folder and of its subfolders, each of which is a class, in alphabetical order.

    Which files are held out, and the order of examples, in which classes are mixed, depend on the names alone, so that
    files can be added. Images are turned as their camera
    says (EXIF). A folder that changes between two uses is another one: `Dataset.fingerprint` tells.

    Fields: "image" uint8 `[height, width, channels]`; "label" int32 `[]` where there are subfolders.

    Args:
      path: the folder.
      size: height and width to which the square in the middle of each image is resized, bicubically and without
        aliasing; None takes images as they are, all of one size.
      channels: 1 makes grey images of all, 3 coloured ones, over white where they are transparent; None takes images as
        they are, all with as many channels as the first.
      held_out: which share of the files is held out.
      skip_bad: go on without files that cannot be read, and say how many.
      say: takes that sentence.

    Raises:
      UserError: at first use: there is no such folder, no image in it, or one that cannot be read, with its name.
    """
    if channels not in (None, 1, 3):
        raise UserError(f"channels is {channels}; it must be 1 or 3.")
    if size is not None and size < 1:
        raise UserError(f"size is {size}; it must be at least 1.")
    files.check_share(held_out)
    whole = _Folder(Path(path), size, channels, held_out, skip_bad, say)

    def source(split: str) -> Source:
        return Source(
            whole.path.resolve().name,
            split,
            whole.describe,
            lambda: whole.load(split),
            lambda: whole.declare,
            lambda: whole.fingerprint,
        )

    return Dataset(source("train"), source("test"))


def check_same_names(path: Path, other: Path) -> None:
    """Refuses two folders whose images are no pairs: those of one name, subfolder included, are.

    Raises:
      UserError: an image of one has no partner in the other.
    """
    names = [set(files.found(each, SUFFIXES, ", ".join(FORMATS))) for each in (path, other)]
    if alone := sorted(names[0] ^ names[1]):
        has, lacks = (path, other) if alone[0] in names[0] else (other, path)
        raise UserError(
            f"{has / alone[0]} has no partner {lacks / alone[0]}, and {len(alone) - 1} more are alone; give the images "
            "of a pair one name."
        )


class Unreadable(UserError):
    """An image file that cannot serve."""


@dataclasses.dataclass(frozen=True)
class _Folder:
    """What `folder` finds; nothing is read before it is asked for."""

    path: Path
    size: int | None
    channels: int | None
    held_out: float
    skip_bad: bool
    say: Callable[[str], None]

    @functools.cached_property
    def files(self) -> list[Path]:
        """All images, as paths relative to the folder."""
        paths = files.found(self.path, SUFFIXES, ", ".join(FORMATS))
        if len(paths) < 2:
            raise UserError(f"{self.path} has {len(paths)} {', '.join(FORMATS)} files; it takes at least 2.")
        mixed = {len(file.parts) > 1 for file in paths}
        if len(mixed) > 1:
            loose = next(file for file in paths if len(file.parts) == 1)
            raise UserError(f"{self.path} has both {loose} and subfolders, which are classes; move it into one.")
        return paths

    @functools.cached_property
    def classes(self) -> list[str]:
        """Names of the subfolders."""
        return sorted({file.parts[0] for file in self.files if len(file.parts) > 1})

    @functools.cached_property
    def fingerprint(self) -> dict[str, Any]:
        """What tells this folder from another, or from itself at another time."""
        return files.fingerprint(self.path, self.files)

    @functools.cached_property
    def declare(self) -> dict[str, Field]:
        return {"image": image(256)} | (
            {"label": label(len(self.classes), names=tuple(self.classes))} if self.classes else {}
        )

    @functools.cached_property
    def shape(self) -> tuple[int, int, int]:
        """Of the images: what is not asked for is as the first has it that can be read."""
        for file in self.files:
            try:
                with self._opened(file) as picture:
                    width, height = self._turned(picture, file).size
                    grey = picture.mode in _GREY
            except Unreadable:
                if not self.skip_bad:
                    raise
                continue
            height, width = (height, width) if self.size is None else (self.size, self.size)
            return height, width, self.channels or (1 if grey else 3)
        raise UserError(f"{self.path} has no file that can be read.")

    def describe(self) -> Examples:
        example: Examples = {"image": np.zeros((1, *self.shape), np.uint8)}
        return example | ({"label": np.zeros(1, np.int32)} if self.classes else {})

    def load(self, split: str) -> Table:
        out = files.held_out(self.files, self.held_out)
        mine = files.mixed(file for file in self.files if (file in out) == (split == "test"))
        table = _OnDisk(self, mine)
        if len(mine) * int(np.prod(self.shape)) > MEMORY_BYTES:
            return table
        good = table.read(mine)
        if not good:
            raise UserError(f"{self.path} has no file that can be read among those of {split}.")
        if bad := len(mine) - len(good):
            self.say(f"{self.path}: {bad} of {len(mine)} files of {split} cannot be read and are left out.")
        return Memory(table.stacked(good))

    def decoded(self, file: Path) -> np.ndarray:
        """A file's image, uint8 of `shape`.

        Raises:
          Unreadable: it cannot be had.
        """
        with self._opened(file) as picture:
            array = self._converted(self._turned(picture, file), file)
        if self.size is not None:
            return square(array, self.size)
        if array.shape != self.shape:
            height, width, _ = self.shape
            raise Unreadable(
                f"{self.path / file} has {array.shape[0]}x{array.shape[1]} pixels where {self.files[0]} has "
                f"{height}x{width}; give a size, to which all are resized."
            )
        return array

    def _turned(self, picture: PIL.Image.Image, file: Path) -> PIL.Image.Image:
        """Decoded, and as its camera was held."""
        try:
            picture.load()
            return PIL.ImageOps.exif_transpose(picture)
        except Exception as error:  # Pillow's readers raise all sorts
            raise Unreadable(f"{self.path / file} is damaged ({_reason(error)}); {_REMEDY}.") from error

    def _converted(self, picture: PIL.Image.Image, file: Path) -> np.ndarray:
        if picture.mode in _SIXTEEN:
            raise Unreadable(f"{self.path / file} has 16 bits or more a channel; make it 8, or set skip_bad.")
        channels, mode = self.shape[2], picture.mode
        if self.channels is None and (mode == "CMYK" or (mode in _GREY) != (channels == 1)):
            has = "CMYK colours" if mode == "CMYK" else "one channel" if mode in _GREY else "three channels"
            raise Unreadable(
                f"{self.path / file} has {has} where {self.files[0]} has {channels}; "
                "give channels=1 or channels=3 for all."
            )
        if "A" in picture.getbands() or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            white = PIL.Image.new("RGBA", picture.size, "white")
            picture = PIL.Image.alpha_composite(white, picture)
        array = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
        return array.reshape(*array.shape[:2], channels)

    def _opened(self, file: Path) -> PIL.Image.Image:
        """A file's header, read."""
        path = self.path / file
        if not path.is_file():
            raise Unreadable(f"{path} is no file; {_REMEDY}.")
        if path.stat().st_size == 0:
            raise Unreadable(f"{path} is empty; {_REMEDY}.")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
                picture = PIL.Image.open(path, formats=FORMATS)
        except PIL.UnidentifiedImageError as error:
            raise Unreadable(f"{path} is no {', '.join(FORMATS)} file, whatever its name; {_REMEDY}.") from error
        except PIL.Image.DecompressionBombError as error:
            raise Unreadable(f"{path} has more than {MOST_PIXELS} pixels; make it smaller, or set skip_bad.") from error
        except Exception as error:  # Pillow's readers raise all sorts
            raise Unreadable(f"{path} is damaged ({_reason(error)}); {_REMEDY}.") from error
        if picture.width * picture.height > MOST_PIXELS:
            picture.close()
            raise Unreadable(f"{path} has more than {MOST_PIXELS} pixels; make it smaller, or set skip_bad.")
        return picture


@dataclasses.dataclass(frozen=True)
class _OnDisk:
    """A table of files, decoded when fetched, some at a time: Pillow lets go of Python while it decodes."""

    folder: _Folder
    files: Sequence[Path]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        """In the place of a bad file that is skipped the next good one stands."""
        files, good = [self.files[int(i)] for i in ids], []
        for id, (file, array) in zip(ids, self._each(files), strict=True):
            step = 0
            while array is None and (step := step + 1) < len(self):
                file = self.files[(int(id) + step) % len(self)]
                ((_, array),) = self._each([file])
            if array is None:
                raise UserError(f"{self.folder.path} has no file that can be read.")
            good.append((file, array))
        return self.stacked(good)

    def read(self, files: Sequence[Path]) -> list[tuple[Path, np.ndarray]]:
        """Those that can be read, and their images."""
        return [(file, array) for file, array in self._each(files) if array is not None]

    def stacked(self, good: Sequence[tuple[Path, np.ndarray]]) -> Examples:
        """Files and images as fields."""
        examples: Examples = {"image": np.stack([array for _, array in good])}
        if self.folder.classes:
            examples["label"] = np.array([self.folder.classes.index(file.parts[0]) for file, _ in good], np.int32)
        return examples

    def _each(self, files: Sequence[Path]) -> list[tuple[Path, np.ndarray | None]]:
        return list(zip(files, _pool().map(self._decoded, files), strict=True))

    def _decoded(self, file: Path) -> np.ndarray | None:
        try:
            return self.folder.decoded(file)
        except Unreadable:
            if not self.folder.skip_bad:
                raise
            return None


def square(array: np.ndarray, size: int) -> np.ndarray:
    """The middle of `[height, width, channels]`, uint8, as `[size, size, channels]`, bicubic and without aliasing."""
    height, width, channels = array.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = array[top : top + side, left : left + side]
    picture = PIL.Image.fromarray(middle[..., 0] if channels == 1 else middle)
    return np.asarray(picture.resize((size, size))).reshape(size, size, channels)


_REMEDY = "mend it, take it away, or set skip_bad"


@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(min(16, os.cpu_count() or 1), "decode")


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
