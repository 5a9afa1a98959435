"""Pictures of people on one's own disk, in pairs, with their joints: in the files that DeepFashion's pairs come in."""

import csv
import json
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps

from jaxgen.data.own import apart
from jaxgen.data.pictures import FORMATS, square
from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED

PAIRS, JOINTS = "pairs.csv", "annotation.csv"


def posed_pairs(path: Path | str, *, size: int, held_out: float = 0.1) -> Dataset:
    """A folder of pictures with `pairs.csv`, whose columns are `from,to`, and `annotation.csv`, of the joints.

    Its columns are `name:keypoints_y:keypoints_x`, lists in brackets, -1 where a joint is not seen, in pixels of the
    file. The square in the middle of each picture is taken.

    Fields: "image" and "target" float32 `[size, size, 3]` in [-1, 1]; "target_keypoints" float32 `[joints, 2]`, (x, y)
    in pixels, NaN where a joint is not seen.

    Args:
      path: the folder.
      size: pixels a side.
      held_out: which share of the pairs is held out.

    Raises:
      UserError: at first use: a file is not there or cannot be read, or a picture of a pair has no joints.
    """
    folder = Path(path)

    def examples() -> Examples:
        pairs = _rows(folder / PAIRS, ",", ("from", "to"))
        at = {row["name"]: row for row in _rows(folder / JOINTS, ":", ("name", "keypoints_y", "keypoints_x"))}
        pictures = {name: _picture(folder, name) for name in {row[side] for row in pairs for side in ("from", "to")}}
        if missing := sorted({row["to"] for row in pairs} - at.keys()):
            raise UserError(f"{folder / JOINTS} has no line of {missing[0]!r}; give the joints of every target.")
        return {
            **{
                field: np.stack([square(pictures[row[side]], size) for row in pairs]) / np.float32(127.5) - 1
                for field, side in (("image", "from"), ("target", "to"))
            },
            "target_keypoints": np.stack([_joints(at[row["to"]], pictures[row["to"]], size) for row in pairs]),
        }

    whole: list[Examples] = []  # read once for both splits

    def load(test: bool) -> Examples:
        if not whole:
            whole.append(examples())
        out, rest = apart(len(whole[0]["image"]), held_out)
        return {name: x[out if test else rest] for name, x in whole[0].items()}

    def source(split: str) -> Source:
        return Source(
            folder.resolve().name,
            split,
            lambda: {name: np.zeros_like(x[:1]) for name, x in load(split == "test").items()},
            lambda: Memory(load(split == "test")),
            lambda: {"image": SIGNED, "target": SIGNED},
        )

    return Dataset(source("train"), source("test"))


def _rows(path: Path, delimiter: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    if not path.is_file():
        raise UserError(f"{path} is not there; it has the columns {delimiter.join(columns)}.")
    with path.open(newline="", encoding="utf-8-sig") as opened:
        rows = [
            {k: v.strip() for k, v in row.items() if k and v} for row in csv.DictReader(opened, delimiter=delimiter)
        ]
    if not rows or set(columns) - rows[0].keys():
        raise UserError(f"{path} has no rows of the columns {delimiter.join(columns)}; give it some.")
    return rows


def _picture(folder: Path, name: str) -> np.ndarray:
    try:
        with PIL.Image.open(folder / name, formats=FORMATS) as picture:
            return np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))
    except Exception as error:  # Pillow's readers raise all sorts
        raise UserError(f"{folder / name} cannot be read; mend it, or take its pairs out of {PAIRS}.") from error


def _joints(row: dict[str, str], picture: np.ndarray, size: int) -> np.ndarray:
    """`[joints, 2]` in pixels of the square that is taken, whose centres are whole numbers."""
    try:
        at = np.array([json.loads(row[f"keypoints_{axis}"]) for axis in "xy"], np.float32).T
    except (KeyError, ValueError) as error:
        raise UserError(f"{JOINTS}: the joints of {row['name']!r} are no two lists of as many numbers.") from error
    height, width, _ = picture.shape
    side = min(height, width)
    offset = np.array([(width - side) // 2, (height - side) // 2])
    return np.where(at < 0, np.nan, (at - offset + 0.5) * size / side - 0.5).astype(np.float32)
