"""Players of games of text: a critic of sequences, whole or relaxed, and a generator of all symbols' logits."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.knowledge.text_cnn import MaxOverTime


class SequenceCritic(nn.Module):
    """Probabilities of symbols `[batch, length, vocabulary]`, one-hot where they are symbols, to logits `[batch]`.

    Convolutions of several widths and their maxima over time, as Zhang & LeCun, 2015, and Yu et al., 2017, have them.

    Attributes:
      embedding: dimensions of a symbol's vector.
      widths: symbols a window holds, of each convolution.
      features: of each convolution.
      deviation: whether it sees how much the sequences of a batch differ, by which it hears of a generator's collapse.
      dtype: of the computation; parameters stay float32.
    """

    embedding: int = 32
    widths: Sequence[int] = (1, 2, 3, 4, 5)
    features: int = 64
    deviation: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Judges; `train` changes nothing."""
        lengths = jnp.full(x.shape[0], x.shape[1])
        words = nn.Dense(self.embedding, use_bias=False, dtype=self.dtype, name="embed")(x)
        maxima = [MaxOverTime(n, self.features, self.dtype, name=f"width_{n}")(words, lengths) for n in self.widths]
        y = jnp.concatenate(maxima, axis=-1)
        y = nn.leaky_relu(nn.Dense(self.features, dtype=self.dtype, name="hidden")(y), 0.2)
        if self.deviation:
            spread = jnp.mean(jnp.sqrt(jnp.var(y, axis=0) + 1e-8))
            y = jnp.concatenate([y, jnp.broadcast_to(spread, (len(y), 1))], axis=-1)
        return nn.Dense(1, dtype=self.dtype, name="logit")(y)[:, 0]


class SequenceGenerator(nn.Module):
    """Latents `[batch, latent]` to logits of symbols `[batch, length, vocabulary]`, by an LSTM over the places.

    Attributes:
      vocabulary: how many symbols.
      length: of a sequence.
      width: of the LSTM's state.
      dtype: of the computation; parameters stay float32.
    """

    vocabulary: int
    length: int
    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool = False) -> jax.Array:
        """Generates; `train` changes nothing."""
        places = self.param("places", nn.initializers.normal(1.0), (self.length, self.width))
        x = nn.Dense(self.width, dtype=self.dtype, name="latent")(z)[:, None] + places.astype(self.dtype or z.dtype)
        x = nn.RNN(nn.OptimizedLSTMCell(self.width, dtype=self.dtype), name="lstm")(nn.relu(x))
        return nn.Dense(self.vocabulary, dtype=self.dtype, name="logits")(jnp.asarray(x))
