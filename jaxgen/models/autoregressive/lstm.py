"""A recurrent network over symbols: stacked LSTMs (Hochreiter & Schmidhuber, 1997; Graves, 2013)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.models.autoregressive.contract import AutoregressiveModel
from jaxgen.models.autoregressive.transformer import shifted


class LSTM(AutoregressiveModel):
    """Symbols `[batch, *event]` in raster order.

    Attributes:
      width: of the embedding and of every layer's state.
      layers: of the stack, residual from the second on.
      dropout: rate on what goes into a layer.
      dtype: of the computation; parameters and logits stay float32.
    """

    width: int = 256
    layers: int = 1
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    def setup(self):
        self.embed = nn.Embed(self.levels, self.width, dtype=self.dtype)
        self.first = self.param("first", nn.initializers.normal(0.02), (self.width,))
        self.cells = [nn.OptimizedLSTMCell(self.width, dtype=self.dtype) for _ in range(self.layers)]
        self.loops = [nn.RNN(cell) for cell in self.cells]
        self.drop = nn.Dropout(self.dropout)
        self.head = nn.Dense(self.levels)

    def _dropped(self, y: jax.Array) -> jax.Array:
        return self.drop(y, deterministic=not self.has_rng("dropout"))

    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        y = shifted(self.embed(x.reshape(x.shape[0], -1)), self.first)
        states = self.start(x.shape[1:], x.shape[0])
        for layer, (loop, state) in enumerate(zip(self.loops, states, strict=True)):
            new = jnp.asarray(loop(self._dropped(y), initial_carry=state))
            y = new + (y if layer else 0)
        return self.head(y).reshape(*x.shape, self.levels)

    def start(self, event: tuple[int, ...], batch: int, condition: jax.Array | None = None) -> Any:
        """Every layer's state."""
        zeros = jnp.zeros((batch, self.width), self.dtype or float)
        return [(zeros, zeros) for _ in range(self.layers)]

    def step(self, cache: Any, position: jax.Array, previous: jax.Array) -> tuple[Any, jax.Array]:
        embedded, kept = self.embed(previous), []
        y = jnp.where(position > 0, embedded, self.first.astype(embedded.dtype))
        for layer, (cell, state) in enumerate(zip(self.cells, cache, strict=True)):
            state, new = cell(state, y)
            y = new + (y if layer else 0)
            kept.append(state)
        return kept, self.head(y)
