"""The hinge loss makes a linear critic the separator of the widest margin, as a support vector machine is.

`jaxgen train hinge_margin`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import nothing
from head import Training
from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.models.mlp import MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Lim & Ye, 2017"
MEASURED = {"nothing": "a margin of 1.381, held by three points of 80"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 3000
    """Moves, each on all points."""
    batch_size: int = 1
    """Of no meaning here."""
    learning_rate: float = 0.03
    """Adam's step size at the start; it falls to nothing along a cosine."""
    weight: float = 1e-3
    """Of half the squared length of the critic's slope."""


def points() -> tuple[np.ndarray, np.ndarray]:
    """40 real and 40 generated, which a line separates, `[points, 2]` each."""
    rng = np.random.default_rng(1)
    return tuple(
        (rng.normal(size=(40, 2)) * [0.6, 1.0] + centre).astype(np.float32) for centre in ([-2.0, 0.5], [2.0, -0.5])
    )  # pyright: ignore[reportReturnType]


REAL, FAKE = points()


def judged_by_hinge(critic: Net, weight: float) -> Method:
    """The critic's half of the game; a short slope is a wide margin."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        value = jnp.mean(adversarial.hinge.critic(view("critic", REAL), view("critic", FAKE)))
        slope = _slope(view)
        return value + weight / 2 * jnp.vdot(slope, slope), Aux({"margin": 2 / jnp.linalg.norm(slope)})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"critic": linen.init(modules["critic"], key, jnp.asarray(REAL))}

    return Method("critic", {"critic": critic}, (Phase("critic", ("critic",), loss),), init, None, lambda *_: {})


def _slope(view: View) -> Array:
    """`[2]`: what the score of (1, 0) and of (0, 1) has more than that of (0, 0)."""
    scores = view("critic", jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    return scores[1:] - scores[0]


def measure(view: View) -> dict[str, Array]:
    """The critic: score = slope x + offset."""
    return {"slope": _slope(view), "offset": view("critic", jnp.zeros((1, 2)))[0]}


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """Points, where the critic is 0, and where it is 1 and -1."""
    figure = new_figure(6, 4.5)
    axes = figure.subplots()
    x = np.linspace(-4, 4, 2)
    for level, style in ((-1, "--"), (0, "-"), (1, "--")):
        y = (level - found["offset"] - found["slope"][0] * x) / found["slope"][1]
        axes.plot(x, y, style, color="#666", linewidth=1)
    for cloud, name, color in ((REAL, "real", "#2563b0"), (FAKE, "generated", "#c2541a")):
        axes.scatter(*cloud.T, s=14, color=color, label=name)
        held = np.abs(np.abs(cloud @ found["slope"] + found["offset"]) - 1) < 0.02
        axes.scatter(*cloud[held].T, s=90, facecolors="none", edgecolors=color)
    axes.set(xlim=(-4, 4), ylim=(-3.5, 3.5), title=f"a margin of {2 / np.linalg.norm(found['slope']):.3f}, held by few")
    axes.legend(fontsize=8)
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    """The margin, and how many points hold it."""
    scores = np.concatenate([REAL, FAKE]) @ found["slope"] + found["offset"]
    return {"margin": 2 / np.linalg.norm(found["slope"]), "support": int(np.sum(np.abs(scores) < 1.02))}


def experiment(config: Config) -> Experiment:
    """No network beyond a line."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    return Experiment(
        method=judged_by_hinge(Net(MLPCritic(hidden=()), optax.adam(rate)), config.weight),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"margin": Drawing(measure, draw, numbers)},
    )
