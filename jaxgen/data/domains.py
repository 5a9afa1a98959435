"""Two domains of images whose true translation is known: one is made from the other, but from other examples.

A method that is to find the translation sees `unpaired` data: neither domain holds an image whose partner the other
holds. What it should have found is beside the held-out images, as the field "target".
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxgen.data.parts import halves
from jaxgen.data.source import Dataset, Examples, Source
from jaxgen.errors import UserError

Change = Callable[[np.ndarray], np.ndarray]  # images [batch, height, width, channels] to others, image by image


def invert(levels: int = 256) -> Change:
    """Ink becomes paper: level k becomes `levels - 1 - k`."""
    return lambda images: (levels - 1 - images.astype(np.int64)).astype(images.dtype)


def colour(red: float = 1.0, green: float = 0.5, blue: float = 0.1) -> Change:
    """Grey becomes a colour: three channels, each the image times its share, rounded down."""

    def change(images: np.ndarray) -> np.ndarray:
        return np.concatenate([images * share for share in (red, green, blue)], -1).astype(images.dtype)

    return change


def thicken(images: np.ndarray) -> np.ndarray:
    """The largest of each pixel and its eight neighbours."""
    return _neighbourhood(images, np.maximum)


def edges(images: np.ndarray) -> np.ndarray:
    """How far each pixel stands above the lowest of its eight neighbours: outlines, within the strokes."""
    return images - _neighbourhood(images, np.minimum)


def rotate(images: np.ndarray) -> np.ndarray:
    """A quarter turn, which no network of local views alone can make."""
    return np.rot90(images, axes=(1, 2)).copy()


def paired(data: Dataset, change: Change, *, reverse: bool = False) -> Dataset:
    """Images beside what they become, as fields "image" and "target"; the other way round with `reverse`."""

    def transform(examples: Examples) -> Examples:
        image, target = examples["image"], change(examples["image"])
        image, target = (target, image) if reverse else (image, target)
        return {**examples, "image": image, "target": target}

    return data.map(transform)


def pairs(data: Dataset, targets: Dataset) -> Dataset:
    """Images of two data sets, example by example: fields "image" of the first, and its others, and "target".

    Raises:
      UserError: at first use: the second has not as many examples.
    """
    first, second = ((each.train, each.test) for each in (data, targets))
    return Dataset(*map(_beside, first, second))


def unpaired(data: Dataset, change: Change, *, seed: int = 0) -> Dataset:
    """Streams `a`, images, and `b`, what other images have become: `batch["a"]["image"]`.

    In training the images behind the two have no example in common. Held out, those of a have their "target" beside
    them, and those of b the image they were made of.
    """
    first, second = halves(data.train, seed=seed)

    def changed(source: Source, beside: bool) -> Source:
        def transform(examples: Examples) -> Examples:
            image = {"image": change(examples["image"])}
            return {**examples, **image, **({"target": examples["image"]} if beside else {})}

        return source.map(transform)

    return Dataset.streams(
        a=Dataset(first, paired(data, change).test),
        b=Dataset(changed(second, beside=False), changed(data.test, beside=True)),
    )


@dataclasses.dataclass(frozen=True)
class _Pairs:
    source: Source
    targets: Source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, ids: np.ndarray) -> Examples:
        return {**self.source[ids], "target": self.targets[ids]["image"]}


def _beside(source: Source, targets: Source) -> Source:
    def load() -> _Pairs:
        if len(source) != len(targets):
            raise UserError(
                f"{source.name} has {len(source)} examples to {source.split} on and its targets, {targets.name}, have "
                f"{len(targets)}; give every image its target."
            )
        return _Pairs(source, targets)

    return dataclasses.replace(
        source,
        describe=lambda: {**source.describe(), "target": targets.describe()["image"]},
        load=load,
        declare=lambda: {**source.fields, "target": targets.fields["image"]},
        fingerprint=lambda: {"image": source.fingerprint(), "target": targets.fingerprint()},
    )


def _neighbourhood(images: np.ndarray, combine: np.ufunc) -> np.ndarray:
    """`combine` of every pixel and its eight neighbours, those beyond the edge left out."""
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
    height, width = images.shape[1:3]
    windows = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return combine.reduce(windows)
