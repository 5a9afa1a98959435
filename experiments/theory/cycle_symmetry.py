"""CycleGAN on the plane, where the truth is a quarter turn: there and back is close to nothing, and the map is wrong.

`jaxgen train cycle_symmetry`; with `--data unequal_clusters`, which no symmetry maps onto itself, only the truth would
fit; whether it is found is another matter.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy.spatial.distance import cdist

from demonstrations import Demonstration, drawn
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.source import Dataset
from jaxgen.data.synthetic import gaussian_ring, unequal_clusters
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.methods.adversarial.cyclegan import cyclegan
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Zhu et al., 2017, equation 3"
DENSITIES = {make.__name__: make for make in (gaussian_ring, unequal_clusters)}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    data: str = "gaussian_ring"
    """A density of the plane: `gaussian_ring` or `unequal_clusters`."""
    steps: int = 4000
    """Training steps."""
    batch_size: int = 64
    """Points of either domain in a batch."""
    cycle: float = 10.0
    """Weight of there and back."""


PRESETS = {"gaussian_ring": Config(), "unequal_clusters": Config(cycle=1.0)}


def turned(x: Array | np.ndarray) -> Array | np.ndarray:
    """The truth: points `[..., 2]` a quarter turn further."""
    return x @ np.array([[0, 1], [-1, 0]], np.float32)


def domains(name: str) -> dict[str, Dataset]:
    """`a`, points in [-1, 1] as images of one pixel, and `b`, other points of the same density after a quarter turn."""
    if name not in DENSITIES:
        raise UserError(f"data is {name!r}; choose {' or '.join(DENSITIES)}.")
    sample = DENSITIES[name]().sample

    def stream(index: int, change: Callable[[np.ndarray], Any]) -> Dataset:
        def draw(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
            points = sample(rng.spawn(2)[index], count) / np.float32(3)
            return {"image": change(points)[:, None, None]}

        return drawn(name, draw)

    return {"a": stream(0, np.asarray), "b": stream(1, turned)}


def experiment(config: Config) -> Experiment:
    """Least squares against critics whose weights are spectrally normalized, and pools of 50 earlier points."""
    data = domains(config.data)
    adam = optax.flatten(optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps), b1=0.5))
    translator = Net(MLP(2, (64, 64), dtype=config.dtype), adam)
    critic = Net(MLPCritic(hidden=(64, 64), spectral=True, dtype=config.dtype), adam)
    method = cyclegan(translator, translator, critic, cycle=config.cycle, identity=None)
    points = data["a"].test[np.arange(1000)]["image"][:, 0, 0]
    return Experiment(
        method=dataclasses.replace(method, latents=None),  # points of the plane make no picture
        data=Dataset.streams(**data),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"translation": Drawing(lambda view: translated(view, jnp.asarray(points)), draw, numbers)},
    )


def translated(view: View, points: Array) -> dict[str, Array]:
    """Points of a, what they become, and what becomes of that, `[points, 2]` each."""
    there = view("a_to_b", points[:, None, None])
    found = {"b": there, "back": view("b_to_a", there)}
    return {"a": points, **{name: x[:, 0, 0].astype(jnp.float32) for name, x in found.items()}}


def draw(found: dict[str, np.ndarray]) -> Figure:
    """Where points come from, where they go, and where they should have gone, coloured by where they come from."""
    figure = new_figure(11, 4)
    colour = np.arctan2(*found["a"].T)
    panels = {"a": found["a"], "a translated": found["b"], "the truth": turned(found["a"])}
    for axes, (title, points) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        axes.scatter(*points.T, s=4, c=colour, cmap="hsv")
        axes.set(title=title, xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    return figure


def numbers(found: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean distances, in the density's own units: there and back, to the truth, and of a itself; and the energy
    distance of what a became to b, which is 0 where the distributions are the same."""
    a, b, back = (3 * found[name] for name in ("a", "b", "back"))
    truth = turned(a)
    return {
        "cycle_error": float(np.linalg.norm(back - a, axis=1).mean()),
        "translation_error": float(np.linalg.norm(b - truth, axis=1).mean()),
        "identity_error": float(np.linalg.norm(a - truth, axis=1).mean()),
        "energy": float(2 * cdist(b, truth).mean() - cdist(b, b).mean() - cdist(truth, truth).mean()),
    }
