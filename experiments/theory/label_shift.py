"""Where classes are not as frequent here as there, features that fit both domains must err: adaptation loses.

`jaxgen train label_shift`
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration, drawn
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.source import Dataset, Examples
from jaxgen.experiment import Experiment
from jaxgen.losses.adaptation import label_shift_bound
from jaxgen.methods.adversarial.domain_adaptation import domain_adversarial
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Zhao et al., 2019, theorem 4.3"
MEASURED = {"shifted": "not yet run"}
SOURCE, TARGET = 0.5, 0.95  # frequency of class 1
STRENGTHS = {"source only": 0.0, "DANN": 1.0}
_COUNT = 5000


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    learning_rate: float = 3e-3
    """Adam's step size."""


def classes(frequency: float) -> Dataset:
    """Points -1 and 1 with noise of 0.3, and their class, the second as frequent as that; nothing else differs."""

    def draw(rng: np.random.Generator, count: int) -> Examples:
        label = (rng.random(count) < frequency).astype(np.int32)
        return {"x": (2 * label - 1 + 0.3 * rng.normal(size=count))[:, None].astype(np.float32), "label": label}

    return drawn("shifted", draw)


def measure(view: View) -> Array:
    """Errors of each method in the source and in the target, `[methods, 2]`, on points of known class."""
    noise = 0.3 * jax.random.normal(jax.random.key(0), (2, _COUNT, 1))
    x = jnp.concatenate([noise[0] - 1, noise[1] + 1])
    found = []
    for name in STRENGTHS:
        own = part(view, name)
        said = jnp.argmax(own("classifier", own("features", x)), axis=-1).reshape(2, _COUNT)
        wrong = jnp.stack([jnp.mean(said[0] != 0), jnp.mean(said[1] != 1)])
        found.append(jnp.stack([wrong @ jnp.array([1 - p, p]) for p in (SOURCE, TARGET)]))
    return jnp.stack(found)


def bound() -> float:
    """What both errors are together at least where features are aligned perfectly."""
    return float(label_shift_bound(np.array([1 - SOURCE, SOURCE]), np.array([1 - TARGET, TARGET])))


def draw(found: np.ndarray) -> Figure:
    """Bars of errors, and the bound on their sum."""
    figure = new_figure(5.5, 4)
    axes, at = figure.subplots(), np.arange(len(STRENGTHS))
    axes.bar(at, found[:, 0], label="error in the source")
    axes.bar(at, found[:, 1], bottom=found[:, 0], label="error in the target")
    axes.axhline(bound(), color="k", linestyle=":", label="at least, where aligned")
    axes.set_xticks(at, list(STRENGTHS))
    axes.legend(fontsize=8)
    return figure


def experiment(config: Config) -> Experiment:
    """A task that anybody solves, until features must not tell the domains apart."""
    adam = optax.flatten(optax.adam(config.learning_rate))
    methods = {
        name: domain_adversarial(
            Net(MLP(2, (32,), dtype=config.dtype), adam),
            Net(MLP(2, (32,), dtype=config.dtype), adam),
            Net(MLPCritic(hidden=(32, 32), dtype=config.dtype), adam),
            strength=strength,
            field="x",
        )
        for name, strength in STRENGTHS.items()
    }
    return Experiment(
        method=side_by_side(methods),
        data=Dataset.streams(source=classes(SOURCE), target=classes(TARGET)),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"errors": Drawing(measure, draw)},
    )
