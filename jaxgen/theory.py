"""What the experiments `theory_*` share: settings, data drawn from a formula, and players that are hardly networks."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgen.core import Array, Method, Net
from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.methods.adversarial.gan import gan


@dataclasses.dataclass(frozen=True)
class Theory:
    """Settings of every demonstration."""

    steps: int = 3000
    """Training steps."""
    batch_size: int = 256
    """Examples in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size."""
    seed: int = 0
    """Of initialization, data order and noise."""


def drawn(name: str, draw: Callable[[np.random.Generator, int], Examples]) -> Dataset:
    """Data `draw(rng, count)`, fields `[count, ...]`: 20,000 examples to train on, 5,000 to test on."""

    def source(split: str, count: int, seed: int) -> Source:
        def examples(count: int) -> Examples:
            return draw(np.random.default_rng(seed), count)

        return Source(name, split, lambda: examples(1), lambda: Memory(examples(count)))

    return Dataset(source("train", 20_000, 0), source("test", 5000, 1))


def normal(mean: float, std: float) -> Dataset:
    """Field "x" float32 `[1]`."""
    return drawn("normal", lambda rng, count: {"x": rng.normal(mean, std, (count, 1)).astype(np.float32)})


def nothing() -> Dataset:
    """Data of a game that has none: field "x" is 0."""
    return drawn("nothing", lambda rng, count: {"x": np.zeros((count, 1), np.float32)})


class Scalar(nn.Module):
    """A network that is one number."""

    start: float

    @nn.compact
    def __call__(self) -> jax.Array:
        return self.param("value", lambda key: jnp.asarray(self.start))


class Push(nn.Module):
    """A generator that cannot learn: `push(z, *label)`."""

    push: Callable[..., Array]

    def __call__(self, *latents: jax.Array, train: bool) -> jax.Array:
        return self.push(*latents)


def judged(critic: Net, loss: AdversarialLoss, push: Callable[..., Array], **settings: Any) -> Method:
    """A critic alone, of the data field `x` and of `push(z [batch, 1])`, whose distribution does not move.

    Args:
      critic: as `gan` wants it.
      loss: the game.
      push: what generated examples are, a function of z and, with `classes`, of labels.
      **settings: others of `gan`.
    """
    method = gan(Net(Push(push)), critic, loss, latent_size=1, field="x", **settings)
    return dataclasses.replace(method, phases=method.phases[:1], latents=None)
