"""Figures drawn without a screen."""

import io
import os

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jaxgen.files import write_atomically


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches, 150 pixels each."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(path: str | os.PathLike[str], figure: Figure) -> None:
    """Writes a figure as a PNG, atomically; missing folders are made."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())
