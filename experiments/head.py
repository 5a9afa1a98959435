"""What the experiments' settings begin with, and the data that they name."""

import dataclasses
from typing import Literal

import numpy as np
import optax

from jaxgen.data.lookup import named
from jaxgen.data.source import Dataset
from jaxgen.data.transforms import binarize, enlarge, on_image, pad, signed_unit
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED


@dataclasses.dataclass(frozen=True)
class Data:
    """Which data."""

    data: str = "digits"
    """A data set's name; or the path of a folder of images, or of a .npy, .npz or .csv file."""
    size: int | None = None
    """Height and width to which the square in the middle of each image is resized."""
    channels: Literal[1, 3] | None = None
    """1 makes images grey, 3 makes them coloured."""
    held_out: float = 0.1
    """Which share of the examples of a path is held out."""
    skip_bad: bool = False
    """Go on without images of a folder that cannot be read, and say how many."""

    def load(self) -> Dataset:
        """The data set, as it is.

        Raises:
          UserError: there is none of that name.
        """
        return named(self.data, size=self.size, channels=self.channels, held_out=self.held_out, skip_bad=self.skip_bad)


@dataclasses.dataclass(frozen=True)
class Training:
    """How it is trained."""

    steps: int = 1000
    """Training steps."""
    batch_size: int = 64
    """Examples in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size."""
    seed: int = 0
    """Of initialization, data order and noise."""


@dataclasses.dataclass(frozen=True)
class Networks(Training):
    """How networks are trained."""

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of networks' activations; parameters, log-determinants and losses are float32."""


@dataclasses.dataclass(frozen=True)
class Head(Networks, Data):
    """What most settings begin with."""


def cosine(learning_rate: float, steps: int, last: float) -> optax.ScalarOrSchedule:
    """The learning rate, falling along a cosine to `last` of it; 1 leaves it as it is."""
    return learning_rate if last == 1 else optax.cosine_decay_schedule(learning_rate, steps, alpha=last)


def levels(data: Dataset) -> int:
    """How many levels a pixel has.

    Raises:
      UserError: the data has no images, or they are of real numbers.
    """
    _check_images(data)
    if (count := data.fields["image"].levels) is None:
        raise UserError(f"data {data.name} has images of real numbers; this method takes those of whole numbers.")
    return count


def classes(data: Dataset) -> int:
    """How many classes the labels name.

    Raises:
      UserError: there are no labels, or not of every example.
    """
    field = data.fields.get("label")
    if "label" not in data.spec or field is None or field.classes is None or field.unlabelled:
        raise UserError(f"data {data.name} has not a label for every example, which this method takes; name another.")
    return field.classes


def signed(data: Dataset) -> Dataset:
    """Images in [-1, 1].

    Raises:
      UserError: the data has no images.
    """
    _check_images(data)
    image = data.fields["image"]
    if image.levels is not None:
        return data.map(signed_unit(image.levels))
    return data if image.low == -1 else data.map(on_image(lambda x: 2 * x - np.float32(1), lambda _: SIGNED))


def binarized(data: Dataset, *, dynamic: bool = False) -> Dataset:
    """Images of 0 and 1, drawn from the pixels' levels: once, which is static binarization, or dynamically.

    Dynamic binarization draws what is trained on anew in every batch; what is held out is drawn once all the same.

    Raises:
      UserError: the data has no images of whole numbers.
    """
    draw = binarize(levels(data))
    drawn = data.map_once(draw)
    return dataclasses.replace(drawn, train=data.train.map(draw)) if dynamic else drawn


def strided(data: Dataset, smallest: int = 16) -> Dataset:
    """Images whose side is a power of two from `smallest` up, which networks of strides need.

    A side that divides it is enlarged by repeating pixels, 8 to 16; others are padded with background, 28 to 32.

    Raises:
      UserError: the data has no images.
    """
    _check_images(data)
    height, width, _ = data.spec["image"].shape
    side = max(smallest, 1 << (max(height, width) - 1).bit_length())
    if height == width == side:
        return data
    return data.map(enlarge(side) if height == width and side % height == 0 else pad(side))


def _check_images(data: Dataset) -> None:
    if "image" not in data.spec or "image" not in data.fields:
        raise UserError(f"data {data.name} has no images, which this method takes; name a set that has.")
