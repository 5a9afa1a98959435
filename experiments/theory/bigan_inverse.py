"""A BiGAN whose players are lines: where the game ends, the encoder is the generator's inverse.

`jaxgen train bigan_inverse`
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure

from demonstrations import Demonstration, normal
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.models.mlp import MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Donahue et al., 2017, theorem 2"
MEASURED = {"normal": "not yet run"}
MEAN, STD = 1.0, 2.0  # of the data


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 4000
    """Training steps."""


class Pairs(MLPCritic):
    """Scores of x and z side by side."""

    def __call__(self, x: Array, z: Array, *, train: bool = False) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().__call__(jnp.concatenate([x, z], axis=-1), train=train)


def measure(view: View) -> Array:
    """Slope and offset of the generator, of the encoder, and of the one after the other, `[3, 2]`."""
    ends = jnp.array([[0.0], [1.0]])
    lines = (view("generator", ends), view("encoder", ends), view("encoder", view("generator", ends)))
    return jnp.stack([jnp.stack([y[1, 0] - y[0, 0], y[0, 0]]) for y in lines]).astype(jnp.float32)


def draw(found: np.ndarray) -> Figure:
    """E(G(z)) beside z."""
    figure = new_figure(5.5, 4)
    axes, z = figure.subplots(), np.linspace(-3, 3, 50)
    (a, b), (c, d), (slope, offset) = found
    axes.plot(z, z, "k:", label="z")
    axes.plot(z, slope * z + offset, label="E(G(z))")
    axes.set(xlabel="z", title=f"G(z) = {a:.2f} z + {b:.2f}, E(x) = {c:.2f} x + {d:.2f}")
    axes.legend()
    return figure


def experiment(config: Config) -> Experiment:
    """Data N(1, 4) and a standard normal z: |slope| of the generator 2, of the encoder 1/2, and of the same sign."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    adam = optax.flatten(optax.adam(rate, b1=0.5))
    line = nn.Dense(1, dtype=config.dtype)
    method = bigan(
        Net(line, adam, ema_decay=0.99),
        Net(line, adam, ema_decay=0.99),
        Net(Pairs(hidden=(64, 64), dtype=config.dtype), adam),
        adversarial.non_saturating,
        prior=priors.normal(1),
        field="x",
    )
    return Experiment(
        method=dataclasses.replace(method, latents=None),  # points of the line make no picture
        data=normal(MEAN, STD),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"lines": Drawing(measure, draw)},
    )
