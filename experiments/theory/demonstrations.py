"""What the demonstrations share: settings, data drawn from a formula, and players that are hardly networks."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from head import Networks
from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, Variables, View
from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.players import Players
from jaxgen.methods.adversarial.regularizers import Regularizer, regularize
from jaxgen.models.mlp import MLP, MLPCritic


@dataclasses.dataclass(frozen=True)
class Demonstration(Networks):
    """Settings of most demonstrations."""

    steps: int = 3000
    """Training steps."""
    batch_size: int = 256
    """Examples in a batch."""


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


class Painter(nn.Module):
    """Latents to images in [-1, 1], by a network without convolutions.

    Attributes:
      shape: of an image.
      hidden: units of each hidden layer.
      dtype: of the computation; parameters stay float32.
    """

    shape: tuple[int, ...]
    hidden: tuple[int, ...]
    dtype: Any = None

    @nn.compact
    def __call__(self, z: Array) -> Array:
        return jnp.tanh(MLP(math.prod(self.shape), self.hidden, dtype=self.dtype)(z)).reshape(-1, *self.shape)


class Judge(nn.Module):
    """Images to scores, by weights that nothing bounds; otherwise as `Painter`."""

    hidden: tuple[int, ...]
    dtype: Any = None

    @nn.compact
    def __call__(self, images: Array) -> Array:
        return MLPCritic(hidden=self.hidden, dtype=self.dtype)(images.reshape(len(images), -1))


def judged(
    critic: Net,
    loss: AdversarialLoss,
    push: Callable[..., Array],
    *,
    classes: int | None = None,
    regularizers: Sequence[Regularizer] = (),
) -> Method:
    """A critic alone, of the data field `x` and of `push(z [batch, 1])`, whose distribution does not move.

    Args:
      critic: as `gan` wants it.
      loss: the game.
      push: what generated examples are, a function of z and, with `classes`, of labels.
      classes: as of `gan`.
      regularizers: what is added to the critic's loss.
    """
    prior = priors.normal(1) if classes is None else priors.joint(priors.normal(1), priors.categorical(classes))
    players = Pushed(prior, classes is not None, push=push)

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 4)
        game, _ = players.play(view, batch["x"], batch, keys[0])
        (real, fake), _, moved = players.discriminate(view, game, batch, keys[1:3])
        added, aux = regularize(regularizers, game, keys[3])
        metrics = {"real": jnp.mean(real), "fake": jnp.mean(fake), **aux.metrics}
        return jnp.mean(loss.critic(real, fake)) + added, Aux(metrics, {"critic": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {
            "critic": linen.init(
                modules["critic"], jax.random.split(key)[1], batch["x"], *players.condition(batch).values()
            )
        }

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"critic_accuracy": players.critic_accuracy(view, batch["x"], batch, key)}

    return Method("critic", {"critic": critic}, (Phase("critic", ("critic",), critic_loss),), init, None, evaluate)


@dataclasses.dataclass(frozen=True)
class Pushed(Players):
    """Players of which the generator is no network but a function of the latents."""

    push: Callable[..., Array] = lambda z: z

    def generate(
        self, view: View, latents: Mapping[str, Array], key: Array, hold: Sequence[str] = ()
    ) -> tuple[Array, Variables]:
        return self.push(*self.prior.inputs(latents)), {}

    def decode(self, view: View, latents: Mapping[str, Array], key: Array) -> Array:
        return self.push(*self.prior.inputs(latents))
