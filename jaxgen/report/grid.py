"""Samples as one picture: images in a grid, clips in a grid that moves, points of the plane as a scatter plot."""

import io
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image

from jaxgen.errors import UserError
from jaxgen.files import write_atomically
from jaxgen.report.figure import new_figure, save_figure
from jaxgen.report.labels import Labels, labelled

COMFORTABLE_SIDE = 64  # pixels of the screen; smaller images are enlarged to about this
PADDING_GREY = 48  # separates cells of black-background digits and of photographs, on a light page and a dark one
MILLISECONDS = 150  # of a clip's frame
_SILENT = Labels()
NOT_FINITE = (255, 0, 255)  # a diverged model must not pass for a dark picture


def grid(images: Any, *, columns: int | None = None, padding: int = 2, scale: int | None = None) -> np.ndarray:
    """Lays images out row by row.

    Args:
      images: float `[count, height, width, channels]` in [-1, 1], 1 or 3 channels; values outside are clipped, a pixel
        that is not finite is drawn magenta.
      columns: images in a row; by default as many as make the picture near square.
      padding: grey pixels around every image, after enlarging.
      scale: integer factor by which pixels are repeated; by default images end up about 64 pixels wide.

    Returns:
      uint8 `[rows * (height * scale + padding) + padding, columns * (width * scale + padding) + padding, 3]`.

    Raises:
      UserError: the shape is not that of images, or a number is out of range.
    """
    values = np.asarray(images, dtype=np.float32)
    if values.ndim != 4 or values.shape[-1] not in (1, 3) or 0 in values.shape:
        raise UserError(f"images has shape {list(values.shape)}: pass [count, height, width, 1 or 3], none of them 0.")
    count, height, width = map(int, values.shape[:3])
    if columns is None:
        columns = _columns(count, height, width)
    if scale is None:
        scale = max(1, round(COMFORTABLE_SIDE / max(height, width)))
    for name, value, least in (("columns", columns, 1), ("padding", padding, 0), ("scale", scale, 1)):
        if value < least:
            raise UserError(f"{name} is {value}: pass {least} or more.")

    finite = np.isfinite(values)
    pixels = np.rint((np.where(finite, values, -1.0).clip(-1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
    pixels = np.broadcast_to(pixels, (count, height, width, 3)).copy()
    pixels[~finite.all(axis=-1)] = NOT_FINITE
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)

    rows = math.ceil(count / columns)
    cell_height, cell_width = height * scale + padding, width * scale + padding
    canvas = np.full((rows * cell_height + padding, columns * cell_width + padding, 3), PADDING_GREY, np.uint8)
    for index, image in enumerate(pixels):
        top, left = padding + index // columns * cell_height, padding + index % columns * cell_width
        canvas[top : top + height * scale, left : left + width * scale] = image
    return canvas


def _columns(count: int, height: int, width: int) -> int:
    """Of a picture that is near square."""
    return min(count, math.ceil(math.sqrt(count * height / width)))


def save_png(
    path: str | os.PathLike[str], images: Any, *, columns: int | None = None, labels: Labels = _SILENT
) -> None:
    """Writes `grid(images)` as a PNG, atomically.

    Args:
      path: where to.
      images: float `[count, height, width, channels]` in [-1, 1].
      columns: images in a row, as `grid`.
      labels: words around it.

    Raises:
      UserError: as `grid`.
    """
    buffer = io.BytesIO()
    _page(images, columns, labels).save(buffer, "PNG", optimize=True)
    write_atomically(path, buffer.getvalue())


def save_clips(
    path: str | os.PathLike[str], clips: Any, *, columns: int | None = None, labels: Labels = _SILENT
) -> None:
    """Writes clips as an animated PNG, one `grid` of images after the other and again from the start, atomically.

    Args:
      path: where to.
      clips: float `[count, time, height, width, channels]` in [-1, 1].
      columns: clips in a row, as `grid`.
      labels: words around them.

    Raises:
      UserError: as `grid`.
    """
    first, *rest = (_page(images, columns, labels) for images in np.moveaxis(np.asarray(clips), 1, 0))
    buffer = io.BytesIO()
    first.save(buffer, "PNG", save_all=True, append_images=rest, duration=MILLISECONDS, loop=0)
    write_atomically(path, buffer.getvalue())


def _page(images: Any, columns: int | None, labels: Labels) -> PIL.Image.Image:
    """The grid and the words around it."""
    canvas = grid(images, columns=columns)
    count, height, width = np.shape(images)[:3]
    columns = columns or _columns(count, height, width)
    return PIL.Image.fromarray(labelled(canvas, labels, columns=columns, rows=math.ceil(count / columns)))


def save_scatter(path: str | os.PathLike[str], points: Any, *, title: str = "") -> None:
    """Writes points of the plane as a square scatter plot (600 x 600 pixels, PNG), atomically.

    The axes run over [-L, L] with L a round number, so the pictures of one run keep their axes from step to step.
    Points outside (at most one in 200) and points that are not finite are counted in the corner.

    Args:
      path: where to.
      points: float `[count, 2]`.
      title: above it.

    Raises:
      UserError: the shape is another.
    """
    values = np.asarray(points, dtype=np.float32)
    if values.ndim != 2 or values.shape[1] != 2 or len(values) == 0:
        raise UserError(f"points has shape {list(values.shape)}: pass [count, 2] with count at least 1.")
    extent = np.abs(values).max(axis=1)
    limit = axis_limit(extent[np.isfinite(extent)])
    inside = extent <= limit  # False for NaN

    figure = new_figure(4, 4)
    axes = figure.add_subplot(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    size = float(np.clip(4000 / len(values), 1, 12))
    axes.scatter(*values[inside].T, s=size, c="#2563b0", alpha=0.6, linewidths=0)
    axes.set_title(title, fontsize=9)
    for x, y, name in ((0.99, 0.01, "x[0]"), (0.01, 0.97, "x[1]")):
        axes.text(x, y, name, transform=axes.transAxes, ha="right" if x > 0.5 else "left", fontsize=7, color="#888")
    axes.tick_params(length=0, labelsize=8, labelcolor="#666")
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    if not inside.all():
        axes.text(0.98, 0.05, f"{(~inside).sum()} points outside", transform=axes.transAxes, ha="right", fontsize=8)
    save_figure(path, figure)


def axis_limit(extent: np.ndarray) -> float:
    """The least of 1, 1.5, 2, 3, 4, 5, 6, 8 (times a power of ten) that holds 199 of 200 of the extents `[count]`."""
    needed = float(np.quantile(extent, 0.995)) if len(extent) else 1.0
    if needed == 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(needed))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= needed)


def has_picture(shape: Sequence[int]) -> bool:
    """Whether `save_samples` can draw samples of this shape: images, clips, or points of the plane."""
    return len(shape) in (4, 5) or (len(shape) == 2 and shape[1] == 2)


def save_samples(
    path: str | os.PathLike[str], samples: Any, *, columns: int | None = None, labels: Labels = _SILENT
) -> None:
    """Writes what a method's `sample` returned as a PNG: images as a grid, clips as one that moves, points scattered.

    Args:
      path: where to.
      samples: float `[count, height, width, 1 or 3]` or `[count, time, height, width, 1 or 3]` in [-1, 1], or
        `[count, 2]`.
      columns: images in a row, as `grid`.
      labels: words around it; of a scatter plot, the title alone.

    Raises:
      UserError: another shape has no picture.
    """
    shape = np.shape(samples)
    if len(shape) == 4:
        save_png(path, samples, columns=columns, labels=labels)
    elif len(shape) == 5:
        save_clips(path, samples, columns=columns, labels=labels)
    elif len(shape) == 2 and shape[1] == 2:
        save_scatter(path, samples, title=labels.title)
    else:
        raise UserError(
            f"samples has shape {list(shape)}, which has no picture: pass images [count, height, width, 1 or 3], "
            "clips [count, time, height, width, 1 or 3] or points [count, 2], or write an .npz file instead."
        )
