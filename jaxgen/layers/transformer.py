"""The pre-norm transformer block over a sequence, whole or position by position with keys and values kept."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.errors import UserError
from jaxgen.layers.attention_patterns import Causal, Pattern
from jaxgen.layers.dot_product import attend_once
from jaxgen.layers.recomputed import LayerNorm, gelu
from jaxgen.layers.rotary import rotary


class Block(nn.Module):
    """`x + Attention(LayerNorm(x))`, then `x + MLP(LayerNorm(x))`, four times as wide inside: Xiong et al., 2020.

    Projections back to x are initialized smaller by √(2·depth), as so many are added up: Radford et al., 2019.

    Attributes:
      heads: of the attention; they divide the width.
      depth: blocks in the network.
      attend: which positions mix; causal.
      rotate: whether queries and keys are turned by their positions.
      dropout: rate on both branches.
      dtype: of the computation; parameters and normalization stay float32.
    """

    heads: int
    depth: int
    attend: Pattern = Causal()
    rotate: bool = True
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, cache: Any = None, position: Any = None) -> tuple[jax.Array, Any]:
        """A whole sequence, or one position of it.

        Args:
          x: `[batch, length, width]`; length is 1 where there is a cache.
          cache: keys and values of all positions, `[batch, heads, total, width / heads]` each; None has none.
          position: of x in the cache, int `[]`.

        Returns:
          x, and the cache with this position's keys and values.

        Raises:
          UserError: heads do not divide the width.
        """
        width = x.shape[-1]
        if width % self.heads:
            raise UserError(f"width is {width}: make it a multiple of heads={self.heads}.")
        positions = jnp.arange(x.shape[1]) if position is None else jnp.reshape(position, (1,))

        def dense(features: Any, name: str, scale: float = 1.0, axis: Any = -1) -> nn.DenseGeneral:
            init = nn.initializers.normal(0.02 * scale)
            return nn.DenseGeneral(features, axis, kernel_init=init, dtype=self.dtype, name=name)

        def dropped(y: jax.Array) -> jax.Array:
            return nn.Dropout(self.dropout, deterministic=not self.has_rng("dropout"))(y)

        def norm(x: jax.Array, name: str) -> jax.Array:
            return LayerNorm(use_bias=False, dtype=self.dtype, name=name)(x)

        small = (2 * self.depth) ** -0.5
        y = norm(x, "LayerNorm_0")
        query, key, value = (dense((self.heads, width // self.heads), name)(y) for name in ("query", "key", "value"))
        if self.rotate:
            query, key = rotary(query, positions), rotary(key, positions)
        if cache is None:
            y = self.attend(query, key, value)
        else:
            keys, values = cache = tuple(
                jax.lax.dynamic_update_slice_in_dim(kept, new.astype(kept.dtype).swapaxes(1, 2), positions[0], axis=2)
                for kept, new in zip(cache, (key, value), strict=True)
            )
            y = attend_once(query, keys, values, self.attend.sees(positions, jnp.arange(keys.shape[2])))
        x = x + dropped(dense(width, "mix", small, (-2, -1))(y))
        y = gelu(dense(4 * width, "up")(norm(x, "LayerNorm_1")))
        return x + dropped(dense(width, "back", small)(y)), cache


def empty_cache(
    batch: int, length: int, width: int, heads: int, dtype: DTypeLike | None
) -> tuple[jax.Array, jax.Array]:
    """Keys and values of a `Block` before the first position."""
    empty = jnp.zeros((batch, heads, length, width // heads), dtype or float)
    return empty, empty
