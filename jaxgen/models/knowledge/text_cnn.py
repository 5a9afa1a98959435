"""Convolutions over the words of a sentence."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import numpy as jnp


class MaxOverTime(nn.Module):
    """The largest value of each feature of a convolution over a sentence's words: Kim 2014, eq. 2 and 3.

    A window may reach beyond the sentence, where words are zero: there are length + width - 1 of them.

    Attributes:
      width: words a window holds.
      features: how many.
      dtype: of the computation; parameters stay float32.
    """

    width: int
    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, lengths: jax.Array) -> jax.Array:
        """Words `[batch, time, embedding]`, zero behind each sentence's `lengths` `[batch]`, to `[batch, features]`."""
        init = nn.initializers.he_normal(in_axis=(0, 1))
        kernel = self.param("kernel", init, (self.width, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        # One product of whole windows: on a CPU its gradient takes a sixth of a convolution's.
        beyond, count = self.width - 1, x.shape[1] + self.width - 1
        padded = jnp.pad(x, ((0, 0), (beyond, beyond), (0, 0)))
        windows = jnp.concatenate([padded[:, k : k + count] for k in range(self.width)], axis=-1)
        y = nn.relu(windows @ kernel.reshape(-1, self.features) + bias)
        touches = jnp.arange(y.shape[1]) < lengths[:, None] + self.width - 1
        return jnp.max(jnp.where(touches[..., None], y, 0), axis=1)


class TextCNN(nn.Module):
    """Classifier of sentences: word vectors, convolutions of several widths, their maxima over time, one product.

    Kim 2014, "Convolutional Neural Networks for Sentence Classification", section 2 (one channel). How far a sentence
    is padded changes nothing.

    Attributes:
      vocabulary_size: how many word numbers there are; 0 is padding.
      classes: how many.
      embedding: dimensions of a word's vector.
      widths: words a window holds, of each convolution.
      features: of each convolution.
      dropout: share of the maxima that training leaves out.
      embedding_init: initializer of the word vectors, `[vocabulary_size, embedding]`.
      dtype: of the computation; parameters stay float32.
    """

    vocabulary_size: int
    classes: int = 2
    embedding: int = 64
    widths: Sequence[int] = (3, 4, 5)
    features: int = 64
    dropout: float = 0.5
    embedding_init: Callable[..., jax.Array] = nn.initializers.normal(0.1)
    dtype: Any = None

    @nn.compact
    def __call__(self, tokens: jax.Array, *, train: bool) -> jax.Array:
        """Word numbers `[batch, time]`, padding last, to logits `[batch, classes]`; training needs a key "dropout"."""
        words = tokens != 0
        embed = nn.Embed(self.vocabulary_size, self.embedding, embedding_init=self.embedding_init, dtype=self.dtype)
        x = jnp.where(words[..., None], embed(tokens), 0)
        maxima = [
            MaxOverTime(width, self.features, self.dtype, name=f"width_{width}")(x, words.sum(1))
            for width in self.widths
        ]
        x = nn.Dropout(self.dropout, deterministic=not train)(jnp.concatenate(maxima, axis=-1))
        return nn.Dense(self.classes, dtype=self.dtype, name="output")(x)
