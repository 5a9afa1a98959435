"""Two Gaussians far apart: a discriminator is sure, and flat where the samples are; a critic has one slope throughout.

`jaxgen train two_gaussians`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy import stats

from demonstrations import Demonstration, judged, normal
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Arjovsky et al., 2017, figure 2"
MEASURED = {"normal": "the critic pulls by 1.02 throughout, the discriminator by less than 1e-10"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""


MEAN, STD = 2.0, 0.5  # data at -MEAN, samples at MEAN


def measure(view: View) -> dict[str, Array]:
    """What either says along the line, and the pull of its loss on a generated example there, all `[points]`."""
    x = jnp.linspace(-4.0, 4.0, 321)

    def score(name: str, x: Array) -> Array:
        return part(view, name)("critic", x.reshape(1, 1))[0].astype(jnp.float32)

    def along(function: Any) -> Array:
        return jax.vmap(function)(x)

    minimax, wasserstein = adversarial.minimax.generator, adversarial.wasserstein.generator
    return {
        "x": x,
        "discriminator": jax.nn.sigmoid(along(lambda x: score("discriminator", x))),
        "discriminator_pull": along(jax.grad(lambda x: -minimax(None, score("discriminator", x)))),
        "critic": along(lambda x: score("critic", x)),
        "critic_pull": along(jax.grad(lambda x: -wasserstein(None, score("critic", x)))),
    }


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """Values on the left, pulls on the right."""
    figure = new_figure(9, 4)
    values, pulls = figure.subplots(1, 2)
    x = found["x"]
    for axes in (values, pulls):
        for mean, color, label in ((-MEAN, "#999", "data"), (MEAN, "#c66", "samples")):
            axes.fill_between(x, stats.norm.pdf(x, mean, STD), color=color, alpha=0.4, linewidth=0, label=label)
    values.plot(x, found["discriminator"], label="D(x)")
    values.plot(x, found["critic"] - found["critic"].mean(), label="f(x)")
    pulls.plot(x, found["discriminator_pull"], label="of minimax")
    pulls.plot(x, found["critic_pull"], label="of the Wasserstein loss")
    values.set(xlabel="x", title="what discriminator and critic say")
    pulls.set(xlabel="x", ylim=(-3, 2), title="where they push a sample at x")
    for axes in (values, pulls):
        axes.legend(fontsize=8)
    return figure


def pulls(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    """Of the critic on the way from samples to data, towards the data; of the discriminator where samples are."""
    x = found["x"]
    between, samples = np.abs(x) < MEAN, np.abs(x - MEAN) < STD
    return {
        "critic_pull_least": -found["critic_pull"][between].max(),
        "critic_pull_most": -found["critic_pull"][between].min(),
        "discriminator_pull": np.abs(found["discriminator_pull"][samples]).max(),
    }


def experiment(config: Config) -> Experiment:
    """Both critics see the same points, each by its own loss; the penalty is heavy, to keep the slope near one."""
    net = Net(MLPCritic(hidden=(64, 64), dtype=config.dtype), optax.flatten(optax.adam(config.learning_rate)))
    penalty = regularizers.gradient_penalty(100.0)
    methods = {
        "discriminator": judged(net, adversarial.minimax, samples),
        "critic": judged(net, adversarial.wasserstein, samples, regularizers=[penalty]),
    }
    return Experiment(
        method=side_by_side(methods),
        data=normal(-MEAN, STD),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"slopes": Drawing(measure, draw, pulls)},
    )


def samples(z: Array) -> Array:
    """What is to be told from the data."""
    return MEAN + STD * z
