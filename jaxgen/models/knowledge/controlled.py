"""Networks of controlled text: an encoder, a generator told a code, a discriminator of each attribute.

All take symbols as probabilities `[batch, length, vocabulary]`, one-hot where they are symbols, so that what a
generator would write can be judged before it is written.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.adversarial.sequence import SequenceGenerator
from jaxgen.models.knowledge.text_cnn import MaxOverTime


class TextEncoder(nn.Module):
    """Symbols to the mean and log-variance of z, `[batch, latent_size]` each, by what an LSTM ends in.

    Attributes:
      latent_size: length of z.
      width: of the symbols' vectors and of the LSTM's state.
      dtype: of the computation; parameters and outputs stay float32.
    """

    latent_size: int
    width: int = 128
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        words = nn.Dense(self.width, use_bias=False, dtype=self.dtype)(x)
        heard = jnp.asarray(nn.RNN(nn.OptimizedLSTMCell(self.width, dtype=self.dtype))(words))[:, -1]
        mean, log_variance = jnp.split(nn.Dense(2 * self.latent_size)(heard), 2, axis=-1)
        return mean, log_variance


class CodedGenerator(nn.Module):
    """z `[batch, latent_size]` and a code `[batch, codes]` to logits `[batch, length, vocabulary]`.

    Attributes:
      vocabulary: how many symbols.
      length: of a sentence.
      width: of the LSTM's state.
      dtype: of the computation; parameters stay float32.
    """

    vocabulary: int
    length: int
    width: int = 128
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, code: jax.Array) -> jax.Array:
        told = jnp.concatenate([z, code], axis=-1)
        return SequenceGenerator(self.vocabulary, self.length, self.width, self.dtype)(told)


class AttributeCNN(nn.Module):
    """Symbols to logits of every attribute, a tuple of `[batch, classes]`: Kim, 2014, with as many outputs.

    Attributes:
      classes: of each attribute.
      embedding: dimensions of a symbol's vector.
      widths: symbols a window holds, of each convolution.
      features: of each convolution.
      dtype: of the computation; parameters stay float32.
    """

    classes: Sequence[int]
    embedding: int = 32
    widths: Sequence[int] = (1, 2, 3)
    features: int = 32
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        lengths = jnp.full(x.shape[0], x.shape[1])
        words = nn.Dense(self.embedding, use_bias=False, dtype=self.dtype)(x)
        maxima = [MaxOverTime(width, self.features, self.dtype)(words, lengths) for width in self.widths]
        features = jnp.concatenate(maxima, axis=-1)
        return tuple(nn.Dense(count, dtype=self.dtype)(features) for count in self.classes)
