"""The decoder-only transformer over characters, bytes, or any sequence of symbols.

Pre-norm blocks, rotary positions, symbol embeddings tied to the output: Radford et al., 2019; Su et al., 2021; Press &
Wolf, 2017. With `attend=Strided(…)` or `Fixed(…)` it is the Sparse Transformer, with `Local(…)`, on images, the Image
Transformer (`jaxgen.layers.attention_patterns`).
"""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike

from jaxgen import loops
from jaxgen.layers.attention_patterns import Causal, Pattern
from jaxgen.layers.transformer import Block, empty_cache
from jaxgen.models.autoregressive.contract import AutoregressiveModel, check_class

# Over a mesh's `tensor`, each device has its heads and its units of the MLP: Shoeybi et al., 2019, "Megatron-LM",
# section 3. The first axis is the layers'.
TENSOR = {
    "blocks/(query|key|value)/kernel": PartitionSpec(None, None, "tensor"),
    "blocks/(query|key|value)/bias": PartitionSpec(None, "tensor"),
    "blocks/mix/kernel": PartitionSpec(None, "tensor"),
    "blocks/up/kernel": PartitionSpec(None, None, "tensor"),
    "blocks/up/bias": PartitionSpec(None, "tensor"),
    "blocks/back/kernel": PartitionSpec(None, "tensor"),
}


def shifted(y: jax.Array, first: jax.Array) -> jax.Array:
    """What is known before each position of `[batch, length, width]`: the one before, and `first` before all."""
    return jnp.concatenate([jnp.broadcast_to(first, y[:, :1].shape).astype(y.dtype), y[:, :-1]], axis=1)


class Transformer(AutoregressiveModel):
    """Symbols `[batch, *event]` in raster order; many layers are one compiled loop (`jaxgen.loops`).

    Attributes:
      width: of the residual stream, a multiple of heads.
      layers: blocks.
      heads: of each block's attention.
      attend: which positions a block's attention mixes.
      classes: of the condition, which the first position is told; 0 has none.
      dropout: rate on embeddings and branches.
      remat: keep only what passes between blocks for the gradient.
      dtype: of the computation; parameters, normalization and logits stay float32.
    """

    width: int = 128
    layers: int = 4
    heads: int = 4
    attend: Pattern = Causal()
    classes: int = 0
    dropout: float = 0.0
    remat: bool = False
    dtype: DTypeLike | None = None
    kind: ClassVar[type[Block]] = Block

    def setup(self):
        init = nn.initializers.normal(0.02)
        self.embed = nn.Embed(self.levels, self.width, embedding_init=init, dtype=self.dtype)
        self.first = self.param("first", init, (max(self.classes, 1), self.width))
        axes: Any = nn.broadcast
        self.blocks = nn.scan(
            nn.remat(self.kind, prevent_cse=False) if self.remat else self.kind,
            variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True},
            in_axes=axes,
            length=self.layers,
            unroll=loops.written_out(self.layers),
        )(self.heads, self.layers, self.attend, dropout=self.dropout, dtype=self.dtype)
        self.norm = nn.LayerNorm(use_bias=False)
        self.drop = nn.Dropout(self.dropout)

    def _start_of_sequence(self, condition: jax.Array | None) -> jax.Array:
        """`[batch or 1, 1, width]`."""
        check_class(self.classes, condition)
        return (self.first if condition is None else jnp.take(self.first, condition, axis=0))[:, None]

    def _out(self, y: jax.Array) -> jax.Array:
        return self.norm(y) @ self.embed.embedding.T

    def known(self, x: jax.Array, condition: jax.Array | None) -> jax.Array:
        """What goes into the first block, `[batch, length, width]`: at every position the symbol before it."""
        y = shifted(self.embed(x.reshape(x.shape[0], -1)), self._start_of_sequence(condition))
        return self.drop(y, deterministic=not self.has_rng("dropout"))

    def predicted(self, y: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Logits `[*shape, levels]` by what comes out of a block, `[batch, length, width]`."""
        return self._out(y).reshape(*shape, self.levels)

    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        y, _ = self.blocks(self.known(x, condition), None, None)
        return self.predicted(y, x.shape)

    def start(self, event: tuple[int, ...], batch: int, condition: jax.Array | None = None) -> Any:
        """Keys and values of each layer, `[batch, heads, length, width / heads]`, and the first input."""
        empty = empty_cache(batch, math.prod(event), self.width, self.heads, self.dtype)
        return [empty] * self.layers, jnp.broadcast_to(self._start_of_sequence(condition), (batch, 1, self.width))

    def step(self, cache: Any, position: jax.Array, previous: jax.Array) -> tuple[Any, jax.Array]:
        """Layer by layer, as a loop over them would copy all that they keep."""
        caches, first = cache
        embedded, kept = self.embed(previous[:, None]), []
        y = jnp.where(position > 0, embedded, first.astype(embedded.dtype))
        block = self.kind(self.heads, self.layers, self.attend, dtype=self.dtype, parent=None)
        for layer, own in enumerate(caches):
            weights = jax.tree.map(lambda w, layer=layer: w[layer], self.variables["params"]["blocks"])
            y, own = block.apply({"params": weights}, y, own, position)
            kept.append(own)
        return (kept, first), self._out(y)[:, 0]
