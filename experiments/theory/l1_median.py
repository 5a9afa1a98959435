"""A target that is +1 in seven cases of ten and else -1: what is least in absolute error, in squares, and in a game.

`jaxgen train l1_median`
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure

from demonstrations import Demonstration, drawn
from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLP
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Isola et al., 2017, section 3.1"
MEASURED = {"two_answers": "not yet run"}
SHARE = 0.7  # of +1
DISTANCES = {"L1": jnp.abs, "L2": jnp.square}
NAMES = (*DISTANCES, "cGAN")


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 2000
    """Training steps."""


def two_answers() -> Dataset:
    """Fields: "image", which is -1 and tells nothing, and "target", -1 or 1, float32 `[1, 1, 1]` each."""

    def draw(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
        target = np.where(rng.random((count, 1, 1, 1)) < SHARE, 1, -1).astype(np.float32)
        return {"image": np.full_like(target, -1), "target": target}

    return drawn("two_answers", draw)


class Noisy(nn.Module):
    """A function of noise that can give any answers, as often as it likes."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (*x.shape[:-1], 2)
        noise = jax.random.normal(self.make_rng("dropout"), shape) if self.has_rng("dropout") else jnp.zeros(shape)
        return jnp.tanh(MLP(1, (32, 32), dtype=self.dtype)(x + noise))


class Judge(nn.Module):
    """A critic that in training sees answers through noise: two points have no finite ratio."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        if self.has_rng("noise"):
            y = y + 0.5 * jax.random.normal(self.make_rng("noise"), y.shape)
        return MLP(1, (64, 64), dtype=self.dtype)(jnp.concatenate([x, y], -1))[..., 0]


def regression(generator: Net, distance: Callable[[Array], Array]) -> Method:
    """The same generator, which is to be near its target alone."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        away = training("generator", batch["image"]).astype(jnp.float32) - batch["target"]
        return jnp.mean(distance(away)), Aux({}, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"generator": linen.init(modules["generator"], key, batch["image"])}

    phase = Phase("generator", ("generator",), loss)
    return Method("regression", {"generator": generator}, (phase,), init, None, lambda *_: {})


def measure(view: View) -> Array:
    """4,000 answers of each, `[methods, 4000]`."""
    images = jnp.full((4000, 1, 1, 1), -1.0)
    said = [part(view, name).train("generator", images, key=jax.random.key(0))[0] for name in NAMES]
    return jnp.stack(said).reshape(len(NAMES), -1).astype(jnp.float32)


def draw(found: np.ndarray) -> Figure:
    """A histogram each."""
    figure = new_figure(10, 3.5)
    for axes, name, said in zip(figure.subplots(1, 3), NAMES, found, strict=True):
        axes.hist(said, bins=41, range=(-1.05, 1.05))
        axes.set(title=f"{name}: mean {said.mean():.2f}, {np.mean(said > 0):.0%} above 0", yscale="log")
    return figure


def numbers(found: np.ndarray) -> dict[str, float]:
    """The mean answer, the share above 0, and how far from an answer that there is, of each."""
    figures = {}
    for name, said in zip(("l1", "l2", "cgan"), found, strict=True):
        figures |= {
            f"{name}_mean": float(said.mean()),
            f"{name}_above": float(np.mean(said > 0)),
            f"{name}_from_an_answer": float(np.mean(1 - np.abs(said))),
        }
    return figures


def experiment(config: Config) -> Experiment:
    """The same generator three times."""
    adam = optax.flatten(optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps), b1=0.5))
    generator = Net(Noisy(config.dtype), adam, ema_decay=0.99, streams=("dropout",))
    critic = Net(Judge(config.dtype), adam, streams=("noise",))
    methods = {name: regression(generator, distance) for name, distance in DISTANCES.items()}
    methods["cGAN"] = pix2pix(generator, critic, adversarial.non_saturating, weight=0.0)
    method = side_by_side(methods)
    return Experiment(
        method=dataclasses.replace(method, latents=None),  # one pixel makes no picture
        data=two_answers(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"answers": Drawing(measure, draw, numbers)},
    )
