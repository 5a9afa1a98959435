"""What the experiments on Gaussians in the plane share: the players, and how many of the Gaussians a game finds."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.core import Array, Drawing, Method, Net, View
from jaxgen.data.synthetic import GaussianMixture, gaussian_ring
from jaxgen.experiment import Experiment
from jaxgen.metrics.coverage import gaussian_modes
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 2500  # in a picture and in what is counted
LATENT_SIZE = 16

Sampler = Callable[[View], Array]


@dataclasses.dataclass(frozen=True)
class Modes:
    """Settings."""

    steps: int = 5000
    """Training steps, each an update of the generator."""
    batch_size: int = 256
    """Points in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size for the generator at the start; both decay along a cosine to a tenth."""
    critic_learning_rate: float = 1e-4
    """The critic's; a tenth of the generator's, as Metz et al. (2017) had it, lets the plain games collapse."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    width: int = 128
    """Units of each of the two hidden layers of either network."""


def players(config: Modes, *, spectral: bool = False, critic_steps: int = 1) -> tuple[Net, Net]:
    """A generator of points and their critic, moved by Adam with a first-moment decay of 0.5, or of 0 in long turns."""
    hidden, b1 = (config.width, config.width), 0.5 if critic_steps == 1 else 0.0

    def adam(learning_rate: float) -> optax.GradientTransformation:
        rate = optax.cosine_decay_schedule(learning_rate, config.steps, alpha=0.1)
        return optax.flatten(optax.adam(rate, b1=b1, b2=0.999 if critic_steps == 1 else 0.9))

    generator = MLP(2, hidden, dtype=config.dtype)
    critic = MLPCritic(hidden=hidden, spectral=spectral, dtype=config.dtype)
    return (
        Net(generator, adam(config.learning_rate), ema_decay=0.99),
        Net(critic, adam(config.critic_learning_rate)),
    )


def ring(config: Modes, method: Method, *, paper: str, measured: str) -> Experiment:
    """A game of `players` on the ring of eight Gaussians, which ends with a picture of what was found."""
    drawing = mode_drawing(gaussian_ring(), {method.name: lambda view: draw_points(method, view)})
    return on_mixture(config, gaussian_ring(), method, drawing, paper=paper, measured=measured)


def on_mixture(
    config: Modes, mixture: GaussianMixture, method: Method, drawing: Drawing, *, paper: str, measured: str
) -> Experiment:
    """A method on 50,000 points of a mixture, with a drawing named `modes`."""
    return Experiment(
        method=method,
        data=mixture.dataset(),
        schedule=Schedule(config.steps, log_every=200, sample_every=2000, checkpoint_every=2000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        paper=paper,
        measured=measured,
        drawings={"modes": drawing},
    )


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

    return Drawing(compute, draw)
