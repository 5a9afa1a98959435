"""A game on the line, watched: p_g moves onto p_data, and D settles at one half.

`jaxgen train gan_1d`
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy import stats

from demonstrations import Demonstration, normal
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors, regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.recording import history, recorded
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Goodfellow et al., 2014, figure 1"
MEASURED = {"normal": "N(2.00, 0.46) for N(2, 0.5), D from 0.487 to 0.493 there"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 4000
    """Training steps."""


MEAN, STD = 2.0, 0.5  # of the data
X = np.linspace(-2, 5, 71).astype(np.float32)
FRAMES = 5
_STEPS_PER_CALL = 100


def observe(view: View) -> Array:
    """D(x), and the density of 4,000 samples in the cells around x, `[2, points]`."""
    samples = view("generator", jax.random.normal(jax.random.key(0), (4000, 1)))[:, 0]
    half = (X[1] - X[0]) / 2
    density, _ = jnp.histogram(samples, bins=jnp.append(X - half, X[-1] + half))
    logits = view("critic", jnp.asarray(X)[:, None]).astype(jnp.float32)
    return jnp.stack([jax.nn.sigmoid(logits), density / (len(samples) * 2 * half)])


def draw(frames: np.ndarray) -> Figure:
    """A panel a frame, of `[frames, 2, points]`."""
    figure = new_figure(11, 5.5)
    for index, (axes, (judgement, density)) in enumerate(zip(figure.subplots(2, 3).flat, frames, strict=True)):
        axes.plot(X, stats.norm.pdf(X, MEAN, STD), "k:", label="p_data")
        axes.fill_between(X, density, step="mid", alpha=0.5, linewidth=0, color="#2563b0", label="p_g")
        axes.plot(X, judgement, color="#c2410c", label="D")
        axes.axhline(0.5, color="#bbb", linewidth=0.8)
        axes.set(ylim=(0, 1.6), title="at the end" if index == FRAMES else f"after {index} of {FRAMES} parts")
    figure.axes[0].legend(fontsize=8)
    return figure


def numbers(frames: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation of p_g, and what D says between 1.25 and 2.75, at the end."""
    judgement, density = frames[-1]
    mean = (density * X).sum() / density.sum()
    std = np.sqrt((density * (X - mean) ** 2).sum() / density.sum())
    there = judgement[np.abs(X - MEAN) < 0.75]
    return {"mean": mean, "std": std, "judgement_least": there.min(), "judgement_most": there.max()}


def experiment(config: Config) -> Experiment:
    """The non-saturating game, with R1, without which it would circle."""
    optimizer = optax.flatten(optax.adam(config.learning_rate, b1=0.5))
    method = gan(
        Net(MLP(1, (32,), dtype=config.dtype), optimizer),
        Net(MLPCritic(hidden=(64, 64), dtype=config.dtype), optimizer),
        adversarial.non_saturating,
        prior=priors.normal(1),
        critic_regularizers=[regularizers.r1(0.3)],
        field="x",
    )
    every = max(config.steps // FRAMES // _STEPS_PER_CALL, 1) * _STEPS_PER_CALL
    watched = recorded(method, observe, frames=FRAMES, shape=(2, len(X)), every=every)

    def frames(view: View) -> Array:
        return jnp.concatenate([history(view), observe(view)[None]])

    return Experiment(
        method=dataclasses.replace(watched, latents=None),  # points of the line make no picture
        data=normal(MEAN, STD),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=_STEPS_PER_CALL),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"course": Drawing(frames, draw, numbers)},
    )
