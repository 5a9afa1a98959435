"""Tables of real numbers: scikit-learn's, and the five of the density estimators' literature from files one has.

Papamakarios et al., 2017, "Masked Autoregressive Flow for Density Estimation", appendix D, whose splits and
preprocessing these are, down to its random seed, so that figures compare with published ones.
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.errors import UserError
from jaxgen.fields import label as classes_of

Splits = dict[str, np.ndarray]  # "train", "validation" and "test" -> [examples, dimensions]


@dataclasses.dataclass(frozen=True)
class Table:
    """A published table.

    Attributes:
      dimensions: columns that are left after preprocessing.
      read: the folder of data to the splits; a relative file in it that is missing raises.
      files: what is to be in the folder, for a message.
    """

    dimensions: int
    read: Callable[[Path], Splits]
    files: str


def breast_cancer() -> Dataset:
    """scikit-learn's 569 biopsies with 30 measurements each: 364 to train on, 91 to validate on and 114 to test on.

    The split is random and fixed; what is not tested on standardizes all. Fields: "x" float32 `[30]`, "label" int32
    `[]` (1 is benign).
    """

    def source(split: str) -> Source:
        def load() -> Memory:
            from sklearn.datasets import load_breast_cancer  # imported late: it costs half a second

            x, label = load_breast_cancer(return_X_y=True)
            order = np.random.RandomState(0).permutation(len(x))  # NumPy has frozen this stream
            ids = {"test": order[:114], "validation": order[114:205], "train": order[205:]}[split]
            x = (x - x[order[114:]].mean(0)) / x[order[114:]].std(0)
            return Memory({"x": x[ids].astype(np.float32), "label": label[ids].astype(np.int32)})

        example = {"x": np.zeros((1, 30), np.float32), "label": np.zeros(1, np.int32)}
        return Source("breast_cancer", split, lambda: example, load, lambda: {"label": classes_of(2)})

    return Dataset(source("train"), source("test"), source("validation"))


def published(name: str) -> Dataset:
    """One of the five tables, from `$TFDS_DATA_DIR`. Field: "x" float32 `[dimensions]`, standardized but in bsds300.

    The files are those of https://zenodo.org/records/1161203, unpacked. Two are in formats that run code or need
    another package to be read, and are expected as `numpy.save` writes their arrays (`TABLES` says where).

    Args:
      name: "power", "gas", "hepmass", "miniboone" or "bsds300".

    Raises:
      UserError: at first use: a file is missing, cannot be read, or is not the published one.
    """
    table = TABLES[name]

    def source(split: str) -> Source:
        def describe() -> Examples:
            return {"x": np.zeros((1, table.dimensions), np.float32)}

        return Source(name, split, describe, lambda: Memory({"x": _splits(name, _folder())[split]}))

    return Dataset(source("train"), source("test"), source("validation"))


@functools.lru_cache(maxsize=1)
def _splits(name: str, folder: Path) -> Splits:
    table = TABLES[name]
    try:
        splits = table.read(folder)
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} does not exist; {name} needs {table.files} in the folder --data-dir names."
        ) from error
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise UserError(f"the files of {name} cannot be read ({error}); it needs {table.files}.") from error
    found = splits["train"].shape[1]
    if found != table.dimensions:
        raise UserError(
            f"the files of {name} leave {found} columns where {table.dimensions} are published; it needs {table.files}."
        )
    return {split: x.astype(np.float32) for split, x in splits.items()}


def _folder() -> Path:
    return Path(os.environ.get("TFDS_DATA_DIR", "."))


def _load(file: Path) -> np.ndarray:
    return np.load(file)


def _split(data: np.ndarray) -> Splits:
    """The last tenth to test on, and the last tenth of the rest to validate on."""
    test = int(0.1 * len(data))
    rest = data[: len(data) - test]
    validation = int(0.1 * len(rest))
    train = rest[: len(rest) - validation]
    return {"train": train, "validation": rest[len(train) :], "test": data[len(rest) :]}


def _standardized(splits: Splits) -> Splits:
    """By mean and deviation of what is not tested on."""
    seen = np.concatenate([splits["train"], splits["validation"]])
    return {split: (x - seen.mean(0)) / seen.std(0) for split, x in splits.items()}


def _power(folder: Path) -> Splits:
    """Without two of the columns; uniform noise fills the gaps between the values that meters can show."""
    rng = np.random.RandomState(42)
    data = _load(folder / "power" / "data.npy")
    rng.shuffle(data)
    data = np.delete(data, [1, 3], axis=1)
    voltage, gap, meters = 0.01 * rng.rand(len(data), 1), 0.001 * rng.rand(len(data), 1), rng.rand(len(data), 3)
    return _standardized(_split(data + np.hstack([gap, voltage, meters, np.zeros((len(data), 1))])))


def _gas(folder: Path) -> Splits:
    """The sensors alone; of those that correlate by more than 0.98, the last; standardized before the split."""
    data = _load(folder / "gas" / "ethylene_CO.npy")[:, 3:].astype(np.float64)
    data = (data - data.mean(0)) / data.std(0, ddof=1)
    alike = np.asarray(np.corrcoef(data.T)) > 0.98
    kept = list(range(data.shape[1]))
    while (repeated := alike[np.ix_(kept, kept)].sum(1) > 1).any():
        del kept[int(repeated.argmax())]
    return _split(data[:, kept])


def _hepmass(folder: Path) -> Splits:
    """Signal alone, without the mass; features whose least value recurs, being discrete, are left out."""

    def signal(split: str) -> np.ndarray:
        with (folder / "hepmass" / f"1000_{split}.csv").open() as file:
            table = np.loadtxt(file, delimiter=",", skiprows=1, usecols=range(28))
        return table[table[:, 0] == 1, 1:]

    train, test = signal("train"), signal("test")
    mean, std = train.mean(0), train.std(0, ddof=1)
    kept = (train == train.min(0)).sum(0) <= 5
    train, test = ((x[:, kept] - mean[kept]) / std[kept] for x in (train, test))
    validation = int(0.1 * len(train))
    return {"train": train[:-validation], "validation": train[-validation:], "test": test}


def _miniboone(folder: Path) -> Splits:
    return _standardized(_split(_load(folder / "miniboone" / "data.npy")))


def _bsds300(folder: Path) -> Splits:
    return {split: _load(folder / "BSDS300" / f"{split}.npy") for split in ("train", "validation", "test")}


TABLES = {
    "power": Table(6, _power, "power/data.npy"),
    "gas": Table(
        8, _gas, "gas/ethylene_CO.npy, the 19 columns of the published ethylene_CO.pickle as numpy.save writes them,"
    ),
    "hepmass": Table(21, _hepmass, "hepmass/1000_train.csv and hepmass/1000_test.csv"),
    "miniboone": Table(43, _miniboone, "miniboone/data.npy"),
    "bsds300": Table(
        63, _bsds300, "BSDS300/train.npy, validation.npy and test.npy, the published BSDS300.hdf5's as numpy.save does,"
    ),
}
