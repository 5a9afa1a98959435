"""A model's density on the plane beside that of the data."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Drawing, Method, View
from jaxgen.report.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELLS = 200  # of the grid, along either side


def square_grid(limit: float, cells: int = _CELLS) -> tuple[np.ndarray, float]:
    """Middles of cells that fill the square from -limit to limit, `[cells**2, 2]`, by rows; and the area of a cell."""
    side = 2 * limit / cells
    middles = (np.arange(cells) + 0.5) * side - limit
    return np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2).astype(np.float32), side**2


def density_drawing(method: Method, log_prob: Callable[[np.ndarray], np.ndarray], *, limit: float = 4.0) -> Drawing:
    """The drawing of a flow's density and of the data's, on a square, and how far apart they are.

    Args:
      method: a flow on the field `x`, whose figure is `log_likelihood_nats`.
      log_prob: the data's log-density of points `[batch, 2]`.
      limit: half of the square's side.
    """
    grid, cell = square_grid(limit)

    def compute(view: View) -> jax.Array:
        return jnp.exp(method.evaluate(view, {"x": grid}, jax.random.key(0))["log_likelihood_nats"])

    def draw(density: np.ndarray) -> "Figure":
        return density_figure({"data": np.exp(log_prob(grid)), "model": density}, limit=limit)

    def numbers(density: np.ndarray) -> Mapping[str, float]:
        return {"total_variation": float(np.abs(density - np.exp(log_prob(grid))).sum() * cell / 2)}

    return Drawing(compute, draw, numbers)


def density_figure(panels: Mapping[str, Any], *, limit: float, columns: int = 2) -> "Figure":
    """Densities as brightness, each row on the scale of its first panel, whose largest value is the brightest.

    Args:
      panels: title -> values on a `square_grid`, `[cells**2]`.
      limit: half of the square's side.
      columns: panels in a row.
    """
    rows, brightest = -(-len(panels) // columns), 1.0
    figure = new_figure(2.2 * columns, 2.4 * rows)
    for index, (title, values) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, index + 1)
        if index % columns == 0:
            brightest = float(np.max(values))
        side = round(np.sqrt(np.size(values)))
        extent = (-limit, limit, -limit, limit)
        axes.imshow(np.reshape(values, (side, side)), origin="lower", extent=extent, cmap="inferno", vmax=brightest)
        axes.set_title(title, fontsize=9)
        axes.tick_params(length=0, labelsize=7, labelcolor="#666")
        axes.spines[:].set_visible(False)
    return figure
