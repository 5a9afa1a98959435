"""What AC-GAN does to classes that overlap: it draws them apart, and a twin classifier gives that back.

`jaxgen train acgan_bias`
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy import stats

from demonstrations import Demonstration, drawn
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.source import Dataset, Examples
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.acgan import acgan
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.adversarial.conditional import Joined
from jaxgen.models.adversarial.heads import Heads
from jaxgen.models.mlp import MLP
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Gong et al., 2019, section 4.1"
MEASURED = {"three_gaussians": "not yet run"}
MEANS, STD = np.array([0.0, 1.5, 3.0]), 1.0
NAMES = ("AC-GAN", "TAC-GAN")


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 4000
    """Training steps."""
    weight: float = 2.0
    """Of the classifiers."""


def three_gaussians() -> Dataset:
    """Fields: "x" float32 `[1]`, "label" int32 `[]`; classes overlap, so no classifier is sure."""

    def draw(rng: np.random.Generator, count: int) -> Examples:
        label = rng.integers(3, size=count)
        x = MEANS[label] + STD * rng.normal(size=count)
        return {"x": x[:, None].astype(np.float32), "label": label.astype(np.int32)}

    return drawn("three_gaussians", draw)


def measure(view: View) -> Array:
    """2,000 samples of each class of each method, `[methods, classes, 2000]`."""
    z, label = jax.random.normal(jax.random.key(0), (3 * 2000, 4)), jnp.repeat(jnp.arange(3), 2000)
    return jnp.stack([part(view, name)("generator", z, label).reshape(3, 2000) for name in NAMES])


def draw(found: np.ndarray) -> Figure:
    """Densities of the classes beside the data's."""
    figure, x = new_figure(11, 4), np.linspace(-5, 8, 200)
    for axes, name, samples in zip(figure.subplots(1, 2), NAMES, found, strict=True):
        for index, (mean, of_class) in enumerate(zip(MEANS, samples, strict=True)):
            axes.plot(x, stats.norm.pdf(x, mean, STD), ":", color=f"C{index}")
            axes.hist(of_class, bins=60, range=(-5, 8), density=True, alpha=0.4, color=f"C{index}")
        spread = ", ".join(f"{s:.2f}" for s in samples.std(1))
        axes.set(title=f"{name}: standard deviations {spread}, of the data 1", ylim=(0, 1.5))
    return figure


def spreads(found: np.ndarray) -> dict[str, float]:
    """Mean standard deviation of a class, where the data have 1."""
    return {f"spread_{name}": std for name, std in zip(("acgan", "tacgan"), found.std(-1).mean(-1), strict=True)}


def experiment(config: Config) -> Experiment:
    """Both with the same networks on the same batches."""
    adam = optax.flatten(optax.adam(config.learning_rate, b1=0.5))
    methods = {}
    for name in NAMES:
        twin = name == "TAC-GAN"
        heads = {"label": 3, "twin": 3} if twin else {"label": 3}
        methods[name] = acgan(
            Net(Joined(MLP(1, (64, 64), dtype=config.dtype), 3), adam, ema_decay=0.99),
            Net(Heads(MLP(64, (64,), dtype=config.dtype), heads, hidden=64, dtype=config.dtype), adam),
            adversarial.non_saturating,
            prior=priors.normal(4),
            classes=3,
            weight=config.weight,
            twin=twin,
            field="x",
        )
    return Experiment(
        method=side_by_side(methods),
        data=three_gaussians(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"classes": Drawing(measure, draw, spreads)},
    )
