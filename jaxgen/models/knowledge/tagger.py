"""A bidirectional LSTM that tags the words of a sentence (Graves and Schmidhuber 2005)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class BiLSTMTagger(nn.Module):
    """Embedded words, one LSTM in each direction, one layer of logits.

    Attributes:
      vocabulary: how many words there are, with 0 for none.
      tags: how many tags.
      hidden: width of the embedding and of each LSTM.
      dropout: share of the features dropped before and after the LSTMs in training.
      dtype: of the computation; parameters are float32.
    """

    vocabulary: int
    tags: int
    hidden: int = 64
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, words: jax.Array, *, train: bool) -> jax.Array:
        """Logits `[batch, length, tags]` of words, int `[batch, length]`, 0 after a sentence's end.

        Needs a key "dropout" if `train` and `dropout` is not 0.
        """
        drop = nn.Dropout(self.dropout, deterministic=not train)
        x = drop(nn.Embed(self.vocabulary, self.hidden, dtype=self.dtype)(words))
        onward, back = (nn.RNN(nn.OptimizedLSTMCell(self.hidden, dtype=self.dtype)) for _ in range(2))
        x = nn.Bidirectional(onward, back)(x, seq_lengths=jnp.sum(words > 0, axis=-1))
        return nn.Dense(self.tags, dtype=self.dtype, name="logits")(drop(x))
