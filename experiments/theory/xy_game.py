"""min over x, max over y, of x y: who descend at once part, in turn circle, and by looking ahead or back they meet.

`jaxgen train xy_game`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jax.lax import stop_gradient
from matplotlib.figure import Figure

from demonstrations import Scalar, nothing
from head import Training
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.methods.simultaneous import simultaneous
from jaxgen.optimizers import historical_averaging
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Goodfellow, 2016; Korpelevich, 1976; Salimans et al., 2016"
MEASURED = {"nothing": "distance from the saddle × 1.64463, 0.98562, 0.60807 and 0.31287 in 100 moves"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 100
    """Moves."""
    batch_size: int = 256
    """Examples in a batch."""
    learning_rate: float = 0.1
    """Step size of either player."""


RULES = ("simultaneous", "alternating", "extragradient", "historical averaging")


def alternating(optimizer: optax.GradientTransformation) -> Method:
    """x moves first, y sees where it went; both begin at 1."""

    def x_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        return view("x") * view("y"), Aux()

    def y_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        return -view("x") * view("y"), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {name: module.init(key) for name, module in modules.items()}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"radius": jnp.full(batch["x"].shape[0], jnp.hypot(view("x"), view("y")) / jnp.sqrt(2.0))}

    nets = {name: Net(Scalar(1.0), optimizer) for name in ("x", "y")}
    return Method("xy game", nets, (Phase("x", ("x",), x_loss), Phase("y", ("y",), y_loss)), init, None, evaluate)


def extragradient(base: Method, learning_rate: float) -> Method:
    """Both at once, by the gradients of where both would have gone: Korpelevich, 1976."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        x, y = view("x"), view("y")
        ahead_x, ahead_y = stop_gradient((x - learning_rate * y, y + learning_rate * x))
        return x * ahead_y - y * ahead_x, Aux()

    return dataclasses.replace(base, phases=(Phase("extragradient", ("x", "y"), loss),))


def positions(view: View) -> Array:
    """`[rules, 2]`."""
    views = [part(view, rule) for rule in RULES]
    return jnp.stack([jnp.stack([own("x"), own("y")]) for own in views])


def draw(path: np.ndarray) -> Figure:
    """Where the players went, and how far from (0, 0) they were; `path` is `[steps + 1, rules, 2]`."""
    figure = new_figure(9, 4)
    plane, course = figure.subplots(1, 2)
    radius = np.linalg.norm(path, axis=2) / np.linalg.norm(path[0, 0])
    for rule, name in enumerate(RULES):
        plane.plot(*path[:, rule].T, label=name, linewidth=1.2)
        course.plot(radius[:, rule], label=f"{name}: {radius[-1, rule]:.5f}", linewidth=1.2)
    plane.plot(0, 0, "k+")
    plane.set(aspect="equal", xlabel="x", ylabel="y", title="the players' path from (1, 1)")
    course.set(xlabel="moves", ylabel="distance from (0, 0), first = 1", title="and how far it leads")
    course.legend(fontsize=8, loc="lower left")
    return figure


def experiment(config: Config) -> Experiment:
    """A simultaneous move multiplies the distance by (1 + learning_rate²)^(1/2), 1.64463 after 100 at 0.1."""
    descent = optax.sgd(config.learning_rate)
    base = alternating(descent)
    games = {
        "simultaneous": simultaneous(base),
        "alternating": base,
        "extragradient": extragradient(base, config.learning_rate),
        "historical averaging": simultaneous(alternating(optax.chain(historical_averaging(0.1), descent))),
    }
    return Experiment(
        method=recorded(side_by_side(games), positions, frames=config.steps, shape=(len(RULES), 2)),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=10),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"paths": Drawing(lambda view: jnp.concatenate([history(view), positions(view)[None]]), draw)},
    )
