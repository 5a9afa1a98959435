"""The transformer block whose attention knows distances, and may look back at states from before its sequence."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.errors import UserError
from jaxgen.layers.recomputed import LayerNorm, gelu


def sinusoids(places: jax.Array, width: int, base: float = 10_000.0) -> jax.Array:
    """`[..., width]`: sines, then cosines, of p·base^(-2i/width): Vaswani et al., 2017, section 3.5. Width is even."""
    angle = places[..., None] * base ** (-jnp.arange(0, width, 2) / width)
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class RelativeBlock(nn.Module):
    """`x + Attention(LayerNorm(x))`, then `x + MLP(LayerNorm(x))`, with the logits of Dai et al., 2019, section 3.3:

    `(q_i + u)·k_j + (q_i + v)·W R_(i-j)`, R sinusoids of the distance, over the square root of a head's size.

    Attributes:
      width: of x, even, a multiple of heads.
      heads: of the attention.
      depth: blocks in the network; projections back to x start smaller by √(2·depth).
      dropout: rate on both branches.
      dtype: of the computation; parameters, normalization and the softmax stay float32.
    """

    width: int
    heads: int
    depth: int
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    def setup(self):
        if self.width % self.heads or self.width % 2:
            raise UserError(f"width is {self.width}: make it even and a multiple of heads={self.heads}.")
        head = (self.heads, self.width // self.heads)

        def dense(features: Any, scale: float = 1.0, axis: Any = -1, bias: bool = True) -> nn.DenseGeneral:
            init = nn.initializers.normal(0.02 * scale)
            return nn.DenseGeneral(features, axis, use_bias=bias, kernel_init=init, dtype=self.dtype)

        small = (2 * self.depth) ** -0.5
        self.before, self.between = (LayerNorm(use_bias=False, dtype=self.dtype) for _ in range(2))
        self.query, self.key, self.value = (dense(head, bias=False) for _ in range(3))
        self.distance = dense(head, bias=False)
        self.to_content = self.param("to_content", nn.initializers.normal(0.02), head)
        self.to_distance = self.param("to_distance", nn.initializers.normal(0.02), head)
        self.mix, self.up, self.back = (
            dense(self.width, small, (-2, -1)),
            dense(4 * self.width),
            dense(self.width, small),
        )
        self.drop = nn.Dropout(self.dropout)

    def keys_and_values(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Of `[batch, length, width]`, `[batch, length, heads, size]` each."""
        y = self.before(x)
        return self.key(y), self.value(y)

    def __call__(self, x: jax.Array, key: jax.Array, value: jax.Array, distance: jax.Array) -> jax.Array:
        """x after attention to the keys and the MLP.

        Args:
          x: `[batch, queries, width]`.
          key: `[batch, keys, heads, size]`.
          value: of the key's shape.
          distance: of each key behind each query, int `[queries, keys]`, below `keys`; negative where it is not seen.
        """
        query = self.query(self.before(x))
        relative = self.distance(sinusoids(jnp.arange(key.shape[1]), self.width).astype(query.dtype))
        content = jnp.einsum("bqhd,bkhd->bhqk", query + self.to_content.astype(query.dtype), key)
        at_distance = jnp.einsum("bqhd,khd->bhqk", query + self.to_distance.astype(query.dtype), relative)
        place = jnp.take_along_axis(at_distance, jnp.maximum(distance, 0)[None, None], axis=-1)
        logits = (content + place).astype(jnp.promote_types(query.dtype, jnp.float32)) * query.shape[-1] ** -0.5
        weights = jax.nn.softmax(jnp.where(distance >= 0, logits, -jnp.inf)).astype(query.dtype)
        x = x + self._dropped(self.mix(jnp.einsum("bhqk,bkhd->bqhd", weights, value)))
        return x + self._dropped(self.back(gelu(self.up(self.between(x)))))

    def _dropped(self, y: jax.Array) -> jax.Array:
        return self.drop(y, deterministic=not self.has_rng("dropout"))
