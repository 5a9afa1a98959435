"""BiGAN on the line: whoever wins the game of pairs has made an encoder that undoes the generator.

`jaxgen train bigan_inverse`
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure
from scipy import stats

from demonstrations import Demonstration, normal
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Donahue et al., 2017, theorem 2"
MEASURED = {"normal": "not yet run"}
MEAN, STD, NOISE = 1.5, 2.0, 0.5  # of the data; of what the critic sees pairs through
STARTS = {"generator": (1.0, 0.0), "encoder": (0.3, 0.0)}  # slope and offset
X, Z = (np.linspace(low, high, 25).astype(np.float32) for low, high in ((-4, 7), (-3, 3)))
FRAMES = 40


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    learning_rate: float = 1e-2
    """Adam's step size for the two lines; the critic's is five times as large."""


class Line(nn.Module):
    """x to `slope x + offset`."""

    start: tuple[float, float]
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        line = self.param("line", lambda key: jnp.array(self.start)).astype(self.dtype or jnp.float32)
        return line[0] * x.astype(line.dtype) + line[1]


class Quadratic(nn.Module):
    """The log-ratio of two Gaussians of x and z: every polynomial of second order.

    Pairs lie on two lines, which have no finite ratio: in training both are seen through noise.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, z: jax.Array) -> jax.Array:
        if self.has_rng("noise"):
            keys = jax.random.split(self.make_rng("noise"))
            x, z = (y + NOISE * jax.random.normal(key, y.shape) for y, key in zip((x, z), keys, strict=True))
        x = (x - MEAN) / STD
        terms = jnp.concatenate([x, z, x * x, z * z, x * z], -1)
        return nn.Dense(1, kernel_init=nn.initializers.zeros, dtype=self.dtype)(terms)[:, 0]


def best() -> np.ndarray:
    """D* of the two lines as they start, on the grid: the ratio of two Gaussians of x and z, `[x, z]`."""
    (a, b), (c, d) = STARTS["generator"], STARTS["encoder"]
    seen = NOISE**2 * np.eye(2)
    at = np.stack(np.meshgrid(X, Z, indexing="ij"), -1)
    p = _gaussian(at, [MEAN, c * MEAN + d], STD**2 * np.outer([1, c], [1, c]) + seen)
    q = _gaussian(at, [b, 0], np.outer([a, 1], [a, 1]) + seen)
    return p / (p + q)


def _gaussian(at: np.ndarray, mean: list[float], covariance: np.ndarray) -> np.ndarray:
    """The density at points `[..., 2]`, times 2 pi."""
    away = at - mean
    distance = np.einsum("...i,ij,...j->...", away, np.linalg.inv(covariance), away)
    return np.exp(-distance / 2) / np.sqrt(np.linalg.det(covariance))


def observe(view: View) -> Array:
    """Slopes and offsets of generator and encoder, `[4]`."""
    players = part(view, "game").params
    return jnp.concatenate([players[name]["line"] for name in ("generator", "encoder")])


def measure(view: View) -> dict[str, Array]:
    """The lines on their way, `[frames + 1, 4]`, and what the critic of standing lines says on the grid, `[x, z]`."""
    x, z = (grid.reshape(-1, 1) for grid in jnp.meshgrid(X, Z, indexing="ij"))
    logits = part(view, "critic")("critic", x, z).astype(jnp.float32)
    return {
        "course": jnp.concatenate([history(view), observe(view)[None]]),
        "judgement": jax.nn.sigmoid(logits).reshape(len(X), len(Z)),
    }


def draw(found: dict[str, np.ndarray]) -> Figure:
    """Slopes and their product on the way; the trained critic over the best."""
    figure = new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    (a, _, c, _) = found["course"].T
    for values, label in ((a, "generator's slope a"), (c, "encoder's slope c"), (a * c, "a c")):
        left.plot(np.linspace(0, 1, len(a)), values, label=label)
    for value in (STD, 1 / STD, 1):
        left.axhline(value, color="#bbb", linewidth=0.8)
    left.set(title="an inverse is found", xlabel="share of the steps")
    left.legend()
    lines = right.contour(X, Z, found["judgement"].T, levels=np.linspace(0.1, 0.9, 5))
    right.contour(X, Z, best().T, levels=lines.levels, colors="k", linestyles=":")
    right.set(title="D of lines that stand, over D* (dotted)", xlabel="x", ylabel="z")
    return figure


def numbers(found: dict[str, np.ndarray]) -> dict[str, float]:
    """The product of the slopes, which is 1 for inverses, and how well the encoder undoes the generator: the mean of
    `|z - E(G(z))|` over the prior; before and after; and the largest error of D on the grid."""
    z, figures = stats.norm.ppf((np.arange(1000) + 0.5) / 1000), {}
    for name, (a, b, c, d) in (("start", found["course"][0]), ("end", found["course"][-1])):
        figures |= {f"{name}_product": float(a * c), f"{name}_error": float(np.abs(z - c * (a * z + b) - d).mean())}
    return {
        **figures,
        "slope": float(found["course"][-1, 0]),
        "judgement_error": float(np.abs(found["judgement"] - best()).max()),
    }


def experiment(config: Config) -> Experiment:
    """The game, and beside it a critic alone of the lines that the game begins with."""

    def game() -> dict[str, Net]:
        slow, fast = (
            optax.adam(optax.cosine_decay_schedule(factor * config.learning_rate, config.steps), b1=0.5)
            for factor in (1, 5)
        )
        lines = {name: Net(Line(start, config.dtype), slow) for name, start in STARTS.items()}
        return {**lines, "critic": Net(Quadratic(config.dtype), fast, ema_decay=0.99, streams=("noise",))}

    players = bigan(**game(), loss=adversarial.non_saturating, prior=priors.normal(1), field="x")
    alone = dataclasses.replace(players, phases=players.phases[:1])
    every = max(config.steps // FRAMES // 100, 1) * 100
    both = side_by_side({"game": players, "critic": alone})
    watched = recorded(both, observe, frames=FRAMES, shape=(4,), every=every)
    return Experiment(
        method=dataclasses.replace(watched, latents=None),  # points of the line make no picture
        data=normal(MEAN, STD),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"inverse": Drawing(measure, draw, numbers)},
    )
