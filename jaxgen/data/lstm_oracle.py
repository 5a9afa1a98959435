"""Sequences of a recurrent network with random weights: text whose every probability is known.

Yu et al., 2017, "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient", section 5.1: all weights are
N(0, 1). The cell is Hochreiter & Schmidhuber's, 1997, with the gates i, f, g, o in this order.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.fields import label

_AT_ONCE = 2000  # sequences


class Weights(NamedTuple):
    """What the oracle is made of; symbol `vocabulary` of the embedding is the start."""

    embedding: jax.Array | np.ndarray  # [vocabulary + 1, width]
    inputs: jax.Array | np.ndarray  # [width, 4 * width]
    states: jax.Array | np.ndarray  # [width, 4 * width]
    bias: jax.Array | np.ndarray  # [4 * width]
    output: jax.Array | np.ndarray  # [width, vocabulary]
    output_bias: jax.Array | np.ndarray  # [vocabulary]


@dataclasses.dataclass(frozen=True)
class LSTMOracle:
    """A distribution of sequences int32 `[length]` of symbols 0 ... `vocabulary - 1`."""

    vocabulary: int = 100
    length: int = 20
    width: int = 32
    seed: int = 0

    @functools.cached_property
    def weights(self) -> Weights:
        """Independent standard normals."""
        v, h = self.vocabulary, self.width
        shapes = ((v + 1, h), (h, 4 * h), (h, 4 * h), (4 * h,), (h, v), (v,))
        rng = np.random.default_rng(self.seed)
        return Weights(*(rng.normal(size=shape).astype(np.float32) for shape in shapes))

    def sample(self, key: jax.Array, count: int) -> jax.Array:
        """Draws `[count, length]`."""

        def step(carry: tuple, key: jax.Array) -> tuple[tuple, jax.Array]:
            state, logits = self._step(*carry)
            symbol = jax.random.categorical(key, logits)
            return (state, symbol), symbol

        return jax.lax.scan(step, self._start(count), jax.random.split(key, self.length))[1].T

    def log_prob(self, tokens: jax.Array) -> jax.Array:
        """log p of each symbol given those before it, `[batch, length]`, nats; of minus its mean at its own samples,
        the entropy, no model has less."""

        def step(carry: tuple, symbol: jax.Array) -> tuple[tuple, jax.Array]:
            state, logits = self._step(*carry)
            log_p = jax.nn.log_softmax(logits)
            return (state, symbol), jnp.take_along_axis(log_p, symbol[:, None], axis=1)[:, 0]

        return jax.lax.scan(step, self._start(len(tokens)), jnp.asarray(tokens, jnp.int32).T)[1].T

    def dataset(self, *, train: int = 10_000, test: int = 2000) -> Dataset:
        """Independent draws. Field: "tokens" int32 `[length]`."""

        def draw(split: int, count: int) -> Examples:
            key, sample = jax.random.fold_in(jax.random.key(self.seed), split), jax.jit(self.sample, static_argnums=1)
            parts = [sample(jax.random.fold_in(key, start), _AT_ONCE) for start in range(0, count, _AT_ONCE)]
            return {"tokens": np.concatenate(parts)[:count].astype(np.int32)}

        def source(name: str, split: int, count: int) -> Source:
            empty = {"tokens": np.zeros((1, self.length), np.int32)}
            fields = {"tokens": label(self.vocabulary)}
            return Source("lstm_oracle", name, lambda: empty, lambda: Memory(draw(split, count)), lambda: fields)

        return Dataset(source("train", 0, train), source("test", 1, test))

    def _start(self, count: int) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        zeros = jnp.zeros((count, self.width))
        return (zeros, zeros), jnp.full(count, self.vocabulary, jnp.int32)

    def _step(self, state: tuple, symbol: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        (cell, hidden), w = state, Weights(*map(jnp.asarray, self.weights))
        gates = w.embedding[symbol] @ w.inputs + hidden @ w.states + w.bias
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (cell, hidden), hidden @ w.output + w.output_bias
