"""Data that comes with the installation: no network, no files to prepare."""

import functools
import importlib.util
from pathlib import Path

import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.fields import image, label

DIGITS_LEVELS = 17


def digits() -> Dataset:
    """scikit-learn's handwritten digits: 1,797 real 8x8 images of 17 levels (0 background ... 16 ink).

    A fixed random fifth is held out: 1,437 images to train on, 360 to test on, the same in every run.

    Fields: "image" uint8 `[8, 8, 1]`, "label" int32 `[]` in 0 ... 9.
    """
    return Dataset(train=_digits("train"), test=_digits("test"))


def _digits(split: str) -> Source:
    def describe() -> Examples:
        return {"image": np.zeros((1, 8, 8, 1), np.uint8), "label": np.zeros(1, np.int32)}

    def load() -> Memory:
        images, labels = _digits_file()
        # RandomState, because NumPy has frozen its stream: the held-out fifth must not change with NumPy's version.
        order = np.random.RandomState(0).permutation(len(labels))
        ids = order[:360] if split == "test" else order[360:]
        return Memory({"image": images[ids], "label": labels[ids]})

    return Source("digits", split, describe, load, lambda: {"image": image(DIGITS_LEVELS), "label": label(10)})


@functools.cache
def _digits_file() -> tuple[np.ndarray, np.ndarray]:
    """Images `[1797, 8, 8, 1]` and labels `[1797]` of scikit-learn's file: to import its reader takes a second."""
    package = importlib.util.find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    table = np.loadtxt(Path(package.origin).parent / "datasets/data/digits.csv.gz", np.uint8, delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8, 1), table[:, -1].astype(np.int32)
