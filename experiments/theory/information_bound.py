"""How much of a bit comes through a channel that flips it: InfoGAN's bound grows to log 2 - H(flips).

`jaxgen train information_bound`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration, nothing
from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses.information import information_bound
from jaxgen.models.mlp import MLP
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Chen et al., 2016, section 5"
MEASURED = {"nothing": "not yet run"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 1000
    """Training steps."""
    learning_rate: float = 1e-2
    """Adam's step size."""


FLIPS = np.linspace(0.02, 0.5, 9)


def truth() -> np.ndarray:
    """log 2 - H, in nats, `[channels]`."""
    return np.log(2) + FLIPS * np.log(FLIPS) + (1 - FLIPS) * np.log(1 - FLIPS)


def measure(view: View) -> Array:
    """The bound, exactly: the mean over what is sent and what is received, `[channels]`."""
    log_q = jax.nn.log_softmax(view("reader", _seen(jnp.arange(2))).astype(jnp.float32))  # [2 * channels, sent]
    log_q = log_q.reshape(2, len(FLIPS), 2)
    same, other = (jnp.mean(jnp.stack([log_q[x, :, x ^ k] for x in (0, 1)]), 0) for k in (0, 1))
    return information_bound((1 - FLIPS) * same + FLIPS * other, -jnp.log(2.0))


def _seen(received: Array) -> Array:
    """What the reader sees: the bit, and which channel it came through, `[bits * channels, 1 + channels]`."""
    channels = jnp.tile(jnp.eye(len(FLIPS)), (len(received), 1))
    return jnp.concatenate([jnp.repeat(received, len(FLIPS))[:, None] * 2.0 - 1, channels], axis=1)


def reading(reader: Net) -> Method:
    """A recognition network of all channels at once, which raises its bound."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys, count = jax.random.split(key), len(batch["x"])
        sent = jax.random.bernoulli(keys[0], 0.5, (count, len(FLIPS)))
        flipped = jax.random.uniform(keys[1], sent.shape) < jnp.asarray(FLIPS)
        received = (sent ^ flipped).reshape(-1)
        channels = jnp.tile(jnp.eye(len(FLIPS)), (count, 1))
        seen = jnp.concatenate([received[:, None] * 2.0 - 1, channels], axis=1)
        log_q = jax.nn.log_softmax(view("reader", seen).astype(jnp.float32))
        of_sent = jnp.take_along_axis(log_q, sent.reshape(-1, 1).astype(int), axis=1)[:, 0]
        bound = jnp.mean(information_bound(of_sent, -jnp.log(2.0)))
        return -bound, Aux({"bound": bound})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"reader": linen.init(modules["reader"], key, _seen(jnp.arange(2)))}

    return Method("information", {"reader": reader}, (Phase("read", ("reader",), loss),), init, None, lambda *_: {})


def draw(found: np.ndarray) -> Figure:
    """Bounds over what can be known."""
    figure = new_figure(5.5, 4)
    axes = figure.subplots()
    axes.plot(FLIPS, truth(), "k:", label="log 2 - H")
    axes.plot(FLIPS, found, "o", label="bound")
    axes.set(xlabel="how often the bit is flipped", ylabel="nats", title="what is read of a bit")
    axes.legend()
    return figure


def numbers(found: np.ndarray) -> Mapping[str, float]:
    """The most by which a bound is lower than what can be known, and the most by which one is higher."""
    return {"bound_gap": (truth() - found).max(), "bound_excess": (found - truth()).max()}


def experiment(config: Config) -> Experiment:
    """Nine channels, one reader."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    reader = Net(MLP(2, (32,), dtype=config.dtype), optax.flatten(optax.adam(rate)), ema_decay=0.99)
    return Experiment(
        method=reading(reader),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"bound": Drawing(measure, draw, numbers)},
    )
