"""Figures drawn without a screen."""

import io
import os
from typing import TYPE_CHECKING

from jaxgen.files import write_atomically

if TYPE_CHECKING:  # a fifth of a command's start, and most draw nothing
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of `width` x `height` inches, 150 pixels each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(path: str | os.PathLike[str], figure: "Figure") -> None:
    """Writes a figure as a PNG, atomically; missing folders are made."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())
