"""Words around a grid of pictures: what it shows, what its columns are, and what its rows are."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

SIZE, GAP = 12, 4  # of the letters and around them, pixels
_PAPER, _INK = (255, 255, 255), (29, 31, 35)


@dataclasses.dataclass(frozen=True)
class Labels:
    """What a grid of pictures says of itself; each may be empty.

    Attributes:
      title: above it.
      columns: above the columns, left to right; where there are fewer than columns they begin anew.
      rows: left of the rows, top to bottom.
    """

    title: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[str] = ()


def labelled(canvas: np.ndarray, labels: Labels, *, columns: int, rows: int) -> np.ndarray:
    """The canvas of `jaxgen.report.grid.grid` with words around it, in black on white.

    Args:
      canvas: uint8 `[height, width, 3]`.
      labels: the words.
      columns: how many there are.
      rows: how many there are.

    Returns:
      uint8 `[height, width, 3]`, larger by what the words take; the canvas is its lower right, or lower left where a
      title is wider.
    """
    if labels == Labels():
        return canvas
    font = PIL.ImageFont.load_default(SIZE)
    line = SIZE + GAP
    left = max((round(font.getlength(text)) + 2 * GAP for text in labels.rows), default=0)
    top = line * (bool(labels.title) + bool(labels.columns)) + GAP * bool(labels.title or labels.columns)
    height, width = canvas.shape[:2]
    whole = max(left + width, round(font.getlength(labels.title)) + 2 * GAP)
    page = np.full((top + height, whole, 3), _PAPER, np.uint8)
    page[top:, left : left + width] = canvas
    image = PIL.Image.fromarray(page)
    pen = PIL.ImageDraw.Draw(image)
    pen.text((GAP, GAP), labels.title, fill=_INK, font=font)
    for column in range(columns if labels.columns else 0):
        middle = left + (column + 0.5) * width / columns
        pen.text((middle, top - GAP), labels.columns[column % len(labels.columns)], fill=_INK, font=font, anchor="md")
    for row, text in enumerate(labels.rows[:rows]):
        pen.text((left - GAP, top + (row + 0.5) * height / rows), text, fill=_INK, font=font, anchor="rm")
    return np.asarray(image)
