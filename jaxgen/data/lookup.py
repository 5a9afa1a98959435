"""A data set by what a command line calls it: a shipped name, a path, or a set prepared for TensorFlow Datasets."""

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgen.closest import closest
from jaxgen.data import own, tfds
from jaxgen.data.byte_text import SUFFIXES as TEXT
from jaxgen.data.byte_text import text
from jaxgen.data.embedded import digits
from jaxgen.data.files import found
from jaxgen.data.pictures import folder, square
from jaxgen.data.sound import SUFFIXES as SOUND
from jaxgen.data.sound import sound
from jaxgen.data.source import Dataset
from jaxgen.data.stacked import stacked
from jaxgen.data.synthetic import DENSITIES
from jaxgen.data.tabular import TABLES, breast_cancer, published
from jaxgen.data.transforms import on_image, pad
from jaxgen.errors import UserError

SHIPPED: dict[str, Callable[[], Dataset]] = {
    "digits": digits,
    "mnist": lambda: tfds.images("mnist"),
    "stacked_mnist": lambda: stacked(tfds.images("mnist").map_once(pad(32))),
    "cifar10": lambda: tfds.images("cifar10"),
    "imagenet128": lambda: tfds.images("imagenet2012", size=128, held_out="validation"),
    "breast_cancer": breast_cancer,
    **{name: functools.partial(published, name) for name in TABLES},
    **{name: lambda make=make: make().dataset() for name, make in DENSITIES.items()},
}


def named(
    name: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    length: int | None = None,
    held_out: float = 0.1,
    skip_bad: bool = False,
) -> Dataset:
    """The data set called `name`: one of `SHIPPED`, else a path, else one prepared in the folder of TFDS.

    Args:
      name: `digits`; a folder of images; a `.npy`, `.npz` or `.csv` file; a text or `.wav` file, or a folder of them;
        or `stl10`, `cifar100:3.0.2`.
      size: height and width to which the square in the middle of each image is resized.
      channels: 1 makes grey images, 3 coloured ones.
      length: of the windows into which a path's text or sound is cut; None where it is neither.
      held_out: which share of a path's examples is held out.
      skip_bad: whether a folder's files that cannot be read are left out.

    Raises:
      UserError: there is none of that name; nothing is downloaded to find out.
    """
    if name in SHIPPED:
        return _fitted(SHIPPED[name](), size, channels)
    path = Path(name).expanduser()
    if length is not None and path.exists():
        if _is_sound(path):
            return sound(path, length=length, held_out=held_out, skip_bad=skip_bad)
        return text(path, length=length, held_out=held_out)
    if path.is_dir():
        return folder(path, size=size, channels=channels, held_out=held_out, skip_bad=skip_bad)
    if path.exists():
        if not path.is_file() or path.suffix.lower() not in own.SUFFIXES:
            kinds = ", ".join(own.SUFFIXES)
            windows = ", or give the length of windows" if path.suffix.lower() in TEXT + SOUND else ""
            if path.suffix.lower() in TEXT:
                windows += ", as `lstm` and `transformer` do"
            if path.suffix.lower() in SOUND:
                windows += ", as `wavenet` does"
            raise UserError(
                f"data {name} is a file of another kind than {kinds}; name one of those, or a folder{windows}."
            )
        return _fitted(own.file(path, held_out=held_out), size, channels)
    if tfds.is_there(name):
        return _fitted(tfds.images(name, size=size), None, channels)
    raise UserError(_absent(name))


def _absent(name: str) -> str:
    """That there are no data of a name, and what may be meant: a shipped set, or what lies where it was looked for."""
    path = Path(name).expanduser()
    there = {file.name: str(path.parent / file.name) for file in path.parent.glob("*")}
    if path.parent == Path():
        there = {each: f"./{each}" for each in there} | {each: each for each in SHIPPED}
    close = closest(path.name, there)
    meant = f"did you mean {there[close]}?" if close else ""
    if name.startswith(("/", ".", "~")) or (path.parent != Path() and path.parent.is_dir()):
        return f"data {name} does not exist; {meant or 'name what does.'}"
    meant = meant or f"choose {', '.join(SHIPPED)}, or a folder of images."
    return (
        f"data {name!r} is no shipped data set, no path, and not prepared for TFDS in {tfds.folder_of(None)}; {meant}"
    )


def resolved(name: str) -> str:
    """The name, or in full where a path leads: to mean the same from any folder."""
    path = Path(name).expanduser()
    return str(path.resolve()) if name not in SHIPPED and path.exists() else name


def _is_sound(path: Path) -> bool:
    """Whether a file, or the first of a folder's text and sound, is sound."""
    if path.is_dir():
        path = next(iter(found(path, (*SOUND, *TEXT), "text or WAV")), path)
    return path.suffix.lower() in SOUND


def short_name(name: str) -> str:
    """What a run folder calls the data: the name, or a path's last part and six digits of where it leads."""
    path = Path(name).expanduser()
    if name in SHIPPED or not path.exists():
        return name.replace("/", "_").replace(":", "_")
    where = str(path.resolve())
    return f"{path.resolve().stem}-{hashlib.sha256(os.fsencode(where)).hexdigest()[:6]}"


def _fitted(data: Dataset, size: int | None, channels: int | None) -> Dataset:
    """Of other size and channels, where they are asked for."""
    if size is None and channels is None:
        return data
    spec = data.spec.get("image")
    if spec is None or (size is not None and spec.dtype != np.uint8):
        raise UserError(f"{data.name} has no images of 8 bits; leave size and channels out.")
    if size is not None and spec.shape[:2] != (size, size):
        if (levels := data.fields["image"].levels) != 256:
            raise UserError(f"{data.name} has images of {levels} levels, which are not resized; leave size out.")
        data = data.map_once(on_image(lambda x: np.stack([square(image, size) for image in x]), lambda field: field))
    if channels is not None and spec.shape[2] != channels:
        data = data.map(on_image(lambda x: _with_channels(x, channels), lambda field: field))
    return data


def _with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Grey as the luma of ITU-R 601, rounded; colours of grey as three equal ones."""
    if channels == 3:
        return images.repeat(3, axis=-1)
    return np.round(images.astype(np.float32) @ np.array([[0.299], [0.587], [0.114]], np.float32)).astype(images.dtype)
