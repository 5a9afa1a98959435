"""How many of a mixture's Gaussians a game finds: in numbers, and drawn."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Array, Drawing, Method, View
from jaxgen.data.synthetic import GaussianMixture, gaussian_grid, gaussian_ring
from jaxgen.metrics.coverage import gaussian_modes
from jaxgen.report.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIXTURES = {make.__name__: make for make in (gaussian_ring, gaussian_grid)}
SAMPLES = 2500  # in a picture and in what is counted

Sampler = Callable[[View], Array]


def draw_points(method: Method, view: View) -> Array:
    """`[SAMPLES, 2]`, the same noise every time."""
    return method.sample(view, jax.random.key(0), SAMPLES)


def mode_drawing(mixture: GaussianMixture, samplers: Mapping[str, Sampler]) -> Drawing:
    """A panel for each sampler: its points, circles of three standard deviations, and what share falls into how many.

    `compute` gives name -> "x" `[SAMPLES, 2]` and the figures of `gaussian_modes`.
    """
    centres = np.asarray(mixture.centres, np.float32)

    def compute(view: View) -> dict[str, Any]:
        found = {}
        for name, sample in samplers.items():
            x = sample(view).astype(np.float32)
            found[name] = {"x": x, **gaussian_modes(x, jnp.asarray(centres), mixture.std)}
        return found

    def draw(found: Mapping[str, Any]) -> "Figure":
        columns = min(len(found), 4)
        rows = -(-len(found) // columns)
        figure = new_figure(3 * columns, 3.2 * rows)
        limit = 1.5 * np.abs(centres).max()
        circle = 3 * mixture.std * np.exp(1j * np.linspace(0, 2 * np.pi, 60))
        for index, (name, figures) in enumerate(found.items()):
            axes = figure.add_subplot(
                rows, columns, index + 1, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal"
            )
            for x, y in centres:
                axes.plot(x + circle.real, y + circle.imag, color="#bbb", linewidth=0.8)
            axes.scatter(*np.asarray(figures["x"]).T, s=2, color="#2563b0", alpha=0.5, linewidths=0)
            modes, good = int(figures["modes"]), float(figures["high_quality"])
            axes.set_title(f"{name}\n{modes} of {len(centres)} modes, {good:.0%} of samples in one", fontsize=8)
            axes.set_axis_off()
        return figure

    def numbers(found: Mapping[str, Any]) -> Mapping[str, float]:
        return {
            f"{figure}_{name.lower().replace(' ', '_')}": float(figures[figure])
            for name, figures in found.items()
            for figure in ("modes", "high_quality")
        }

    return Drawing(compute, draw, numbers)
