"""Data against mixtures of data and something else: the best discriminator, and what the game is then worth.

`jaxgen train game_value`
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import ndtr, ndtri
from matplotlib.figure import Figure
from scipy import stats

from demonstrations import Demonstration, drawn, judged
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.source import Examples
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.models.adversarial.conditional import WithLabel
from jaxgen.models.mlp import MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Goodfellow et al., 2014, proposition 1 and theorem 1"
MEASURED = {"normal": "values within 0.003 nats of the best"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    batch_size: int = 512
    """Examples in a batch."""
    learning_rate: float = 3e-3
    """Adam's step size at the start; it falls to nothing along a cosine."""


MEAN, STD = 3.0, 0.5  # of what is mixed into the data, which are N(0, 1)
SHARES = np.linspace(0, 1, 9).astype(np.float32)  # of it
X = np.linspace(-6, 7, 1301).astype(np.float32)
CELL = X[1] - X[0]
P = stats.norm.pdf(X)
Q = (1 - SHARES[:, None]) * P + SHARES[:, None] * stats.norm.pdf(X, MEAN, STD)  # [shares, points]


def points(rng: np.random.Generator, count: int) -> Examples:
    """Of the data, and which mixture they are to be told from."""
    x = rng.normal(size=(count, 1)).astype(np.float32)
    return {"x": x, "label": rng.integers(len(SHARES), size=count).astype(np.int32)}


def mixed(z: Array, label: Array) -> Array:
    """One point of the mixture `label` for each standard normal z `[batch, 1]`: what u = Phi(z) says."""
    u, share = ndtr(z), jnp.asarray(SHARES)[label][:, None]
    other = u < share
    within = jnp.where(other, u / jnp.maximum(share, 1e-6), (u - share) / jnp.maximum(1 - share, 1e-6))
    x = ndtri(jnp.clip(within, 1e-6, 1 - 1e-6))
    return jnp.where(other, MEAN + STD * x, x)


def judgements(view: View) -> Array:
    """Logits of D along the line, `[shares, points]`."""
    label = jnp.repeat(jnp.arange(len(SHARES)), len(X))
    logits = view("critic", jnp.tile(jnp.asarray(X)[:, None], (len(SHARES), 1)), label)
    return logits.astype(jnp.float32).reshape(len(SHARES), len(X))


def values(logits: np.ndarray) -> np.ndarray:
    """V of each discriminator, E_p log D + E_q log(1 - D), by quadrature, nats."""
    return -(P * np.logaddexp(0, -logits) + Q * np.logaddexp(0, logits)).sum(-1) * CELL


def best() -> np.ndarray:
    """-log 4 + 2 JSD(p, q), `[shares]`."""
    divergence = adversarial.jensen_shannon(np.broadcast_to(P, Q.shape), Q, weights=CELL)
    return 2 * np.asarray(divergence) - np.log(4)


def draw(logits: np.ndarray) -> Figure:
    """Three discriminators over their optima, and all values over theirs."""
    figure = new_figure(10, 4)
    line, course = figure.subplots(1, 2)
    line.fill_between(X, P, color="#999", alpha=0.4, linewidth=0, label="data")
    for index, color in zip((2, 4, 8), ("C0", "C1", "C2"), strict=True):
        line.plot(X, jax.nn.sigmoid(logits[index]), color=color, label=f"D, {SHARES[index]:.0%} of something else")
        line.plot(X, adversarial.optimal_discriminator(P, Q[index]), "--", color=color, linewidth=1)
    line.set(xlabel="x", xlim=(-4, 5), title="trained discriminators and p / (p + q), dashed")
    line.set(ylim=(0, 1.5), yticks=(0, 0.5, 1))  # the legend is above
    course.plot(SHARES, best(), "k:", label="-log 4 + 2 JSD")
    course.plot(SHARES, values(logits), "o", label="of trained discriminators")
    course.axhline(-np.log(4), color="#bbb", linewidth=0.8)
    course.set(xlabel="share of something else", ylabel="nats", title="what the game is worth")
    for axes in (line, course):
        axes.legend(fontsize=8)
    return figure


def numbers(logits: np.ndarray) -> Mapping[str, float]:
    """By how much a value is short of the best at most, and by how much beyond it, which none can be."""
    short = best() - values(logits)
    return {"value_short": short.max(), "value_beyond": max(0.0, -short.min()), "value_of_equals": values(logits)[0]}


def experiment(config: Config) -> Experiment:
    """One discriminator, which is told the share."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    critic = WithLabel(MLPCritic(hidden=(64, 64), dtype=config.dtype), len(SHARES))
    return Experiment(
        method=judged(
            Net(critic, optax.flatten(optax.adam(rate)), ema_decay=0.99),
            adversarial.minimax,
            mixed,
            classes=len(SHARES),
        ),
        data=drawn("normal", points),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"value": Drawing(judgements, draw, numbers)},
    )
