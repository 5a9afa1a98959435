"""Transformer-XL: a transformer that reads segment after segment and looks back at the states of those before.

Dai, Yang, Yang, Carbonell, Le & Salakhutdinov, 2019, "Transformer-XL: Attentive Language Models Beyond a Fixed-Length
Context", sections 3.2 and 3.3.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.errors import UserError
from jaxgen.layers.relative import RelativeBlock
from jaxgen.models.autoregressive.contract import AutoregressiveModel
from jaxgen.models.autoregressive.transformer import shifted


class TransformerXL(AutoregressiveModel):
    """Symbols `[batch, *event]` in raster order, read in segments, the pre-norm form.

    Every layer of a segment attends to its own positions so far and to the `memory` ones before the segment, whose
    states, as the segment before left them, no gradient enters. With a memory of the whole event the logits are those
    of one segment as long as it; with less, a layer reaches that much further back.

    With `rows`, the collection `memory` holds the last states of as many texts: in training each batch goes on where
    the one before it ended, row by row, and a run that is resumed goes on likewise. Elsewhere every example begins with
    an empty memory.

    Attributes:
      width: of the residual stream, even, a multiple of heads.
      layers: blocks.
      heads: of each block's attention.
      segment: symbols read at once; divides the event's size, or is no smaller.
      memory: positions before a segment that each layer sees.
      rows: texts read side by side in training, the batch size; 0 keeps nothing between batches.
      dropout: rate on embeddings and branches.
      dtype: of the computation; parameters, normalization and logits stay float32.
    """

    width: int = 128
    layers: int = 4
    heads: int = 4
    segment: int = 64
    memory: int = 64
    rows: int = 0
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    def setup(self):
        init = nn.initializers.normal(0.02)
        self.embed = nn.Embed(self.levels, self.width, embedding_init=init, dtype=self.dtype)
        self.first = self.param("first", init, (self.width,))
        self.blocks = [
            RelativeBlock(self.width, self.heads, self.layers, self.dropout, self.dtype) for _ in range(self.layers)
        ]
        self.norm = nn.LayerNorm(use_bias=False)
        self.drop = nn.Dropout(self.dropout)
        if self.rows:
            self.kept = self.variable("memory", "states", lambda: self._empty(self.rows))
            self.seen = self.variable("memory", "seen", jnp.zeros, (), jnp.int32)
            self.last = self.variable("memory", "last", jnp.zeros, (self.rows,), jnp.int32)

    def _empty(self, batch: int) -> list[jax.Array]:
        """What layers look back at, before the first segment, `[batch, memory, width]` each."""
        return [jnp.zeros((batch, self.memory, self.width), self.dtype or float) for _ in range(self.layers)]

    def _out(self, y: jax.Array) -> jax.Array:
        return self.norm(y) @ self.embed.embedding.T

    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        symbols = x.reshape(x.shape[0], -1)
        batch, length = symbols.shape
        segment = min(self.segment, length)
        if length % segment:
            raise UserError(f"an example has {length} symbols: make it a multiple of segment={segment}.")
        states, seen, first = self._empty(batch), jnp.zeros((), jnp.int32), self.first
        goes_on = self.rows and self.is_mutable_collection("memory") and not self.is_initializing()
        if goes_on:
            if batch != self.rows:
                raise UserError(f"a batch has {batch} examples, but rows={self.rows}: make them the same.")
            states, seen = self.kept.value, self.seen.value
            first = jnp.where(seen > 0, self.embed(self.last.value)[:, None], first)
        y = shifted(self.embed(symbols), first)
        y = self.drop(y, deterministic=not self.has_rng("dropout"))

        loop = nn.scan(
            TransformerXL._read,
            variable_broadcast=("params", "memory"),
            split_rngs={"params": False, "dropout": True},
            in_axes=1,
            out_axes=1,
        )
        carry = jax.tree.map(lambda s: s.astype(y.dtype), states), seen
        (states, seen), y = loop(self, carry, y.reshape(batch, -1, segment, self.width))
        if goes_on:
            self.kept.value, self.seen.value, self.last.value = states, seen, symbols[:, -1].astype(jnp.int32)
        return self._out(y.reshape(batch, length, self.width)).reshape(*x.shape, self.levels)

    def _read(self, carry: Any, y: jax.Array) -> tuple[Any, jax.Array]:
        """One segment `[batch, segment, width]`, after states of which the last `seen` count."""
        (states, seen), length, kept = carry, y.shape[1], []
        key_at = jnp.arange(self.memory + length)
        distance = self.memory + jnp.arange(length)[:, None] - key_at
        distance = jnp.where(key_at >= self.memory - seen, distance, -1)
        for block, before in zip(self.blocks, states, strict=True):
            both = jnp.concatenate([jax.lax.stop_gradient(before), y], axis=1)
            kept.append(both[:, length:])
            y = block(y, *block.keys_and_values(both), distance)
        return (kept, jnp.minimum(seen + length, self.memory)), y

    def start(self, event: tuple[int, ...], batch: int, condition: jax.Array | None = None) -> Any:
        """Keys and values of every layer: of the memory, then of the segment so far."""
        length = self.memory + min(self.segment, math.prod(event))
        shape = (batch, length, self.heads, self.width // self.heads)
        return [(jnp.zeros(shape, self.dtype or float),) * 2 for _ in range(self.layers)]

    def step(self, cache: Any, position: jax.Array, previous: jax.Array) -> tuple[Any, jax.Array]:
        total = cache[0][0].shape[1]
        segment = total - self.memory
        begun, offset = jnp.divmod(position, segment)
        key_at = jnp.arange(total)
        distance = self.memory + offset - key_at
        distance = jnp.where(key_at >= self.memory - begun * segment, distance, -1)[None]
        embedded, kept = self.embed(previous[:, None]), []
        y = jnp.where(position > 0, embedded, self.first.astype(embedded.dtype))
        for block, old in zip(self.blocks, cache, strict=True):
            # At the start of a segment the one before it becomes memory.
            old = jax.tree.map(lambda c: jnp.where(offset == 0, jnp.roll(c, -segment, axis=1), c), old)
            key, value = (
                jax.lax.dynamic_update_slice_in_dim(c, new.astype(c.dtype), self.memory + offset, axis=1)
                for c, new in zip(old, block.keys_and_values(y), strict=True)
            )
            kept.append((key, value))
            y = block(y, key, value, distance)
        return kept, self._out(y)[:, 0]
