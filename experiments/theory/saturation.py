"""A generator that starts far from its data: minimax leaves it there, the non-saturating loss brings it home.

`jaxgen train saturation`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.lax import stop_gradient
from matplotlib.figure import Figure

from demonstrations import Scalar, nothing
from head import Training
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Goodfellow et al., 2014, section 3; Arjovsky & Bottou, 2017"
MEASURED = {"nothing": "minimax stays at 10.000, the non-saturating loss comes to 0.000 (300 steps)"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 300
    """Training steps."""
    batch_size: int = 256
    """Examples in a batch."""
    learning_rate: float = 0.1
    """Step size of gradient descent."""
    start: float = 10.0
    """Where the generator's mean begins."""


LOSSES = {"minimax": adversarial.minimax, "non_saturating": adversarial.non_saturating}


def against_the_best(loss: adversarial.AdversarialLoss, config: Config) -> Method:
    """N(theta, 1) learning N(0, 1) from the discriminator that no other can beat, whose logit is log p - log q."""

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        theta = view("generator")
        x = theta + jax.random.normal(key, batch["x"].shape[:1])
        logits = 0.5 * (jnp.square(x - stop_gradient(theta)) - jnp.square(x))
        return jnp.mean(loss.generator(None, logits)), Aux({"theta": theta})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"generator": modules["generator"].init(key)}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"theta": jnp.full(batch["x"].shape[0], view("generator"))}

    nets = {"generator": Net(Scalar(config.start), optax.sgd(config.learning_rate))}
    return Method("generator", nets, (Phase("generator", ("generator",), generator_loss),), init, None, evaluate)


def means(view: View) -> Array:
    """theta of each game, `[losses]`."""
    return jnp.stack([part(view, name)("generator") for name in LOSSES])


def draw(path: np.ndarray) -> Figure:
    """Both losses and their slopes against D(G(z)), and where each led; `path` is `[steps + 1, losses]`."""
    figure = new_figure(11, 3.4)
    value, slope, course = figure.subplots(1, 3)
    logits = jnp.linspace(-8.0, 8.0, 400)
    for index, (name, loss) in enumerate(LOSSES.items()):
        value.plot(jax.nn.sigmoid(logits), loss.generator(None, logits), label=name)
        slope.plot(logits, -jax.vmap(jax.grad(lambda t, loss=loss: loss.generator(None, t)))(logits), label=name)
        course.plot(path[:, index], label=f"{name}: {path[-1, index]:.3f}")
    value.set(xlabel="D(G(z))", ylabel="the generator's loss, nats", ylim=(-5, 5), title="loss")
    slope.set(xlabel="logit of D(G(z))", ylabel="- d loss / d logit", title="pull on a generated example")
    course.set(xlabel="step", ylabel="the generator's mean, data at 0", title="a generator far from its data")
    for axes in (value, slope, course):
        axes.legend(fontsize=8)
    return figure


def experiment(config: Config) -> Experiment:
    """Where D(G(z)) is nearly 0, the pull of minimax is D(G(z)) and that of the other 1 - D(G(z))."""
    games = {name: against_the_best(loss, config) for name, loss in LOSSES.items()}
    return Experiment(
        method=recorded(side_by_side(games), means, frames=config.steps, shape=(len(LOSSES),)),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=10),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"saturation": Drawing(lambda view: jnp.concatenate([history(view), means(view)[None]]), draw)},
    )
