"""Gated PixelCNN: a stack that sees the rows above, one that sees the row so far, and no blind spot between them.

Van den Oord, Kalchbrenner, Vinyals et al., 2016, "Conditional Image Generation with PixelCNN Decoders", figure 2.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.layers.causal_conv import group_mask, neighbours
from jaxgen.layers.made import MaskedDense
from jaxgen.models.autoregressive.contract import AutoregressiveModel, check_class
from jaxgen.models.autoregressive.pixelcnn import check_groups, pixels, split_channels


def gate(y: jax.Array) -> jax.Array:
    """tanh(a)·sigmoid(b) of the two halves of `[..., 2 * width]`: equation 2."""
    a, b = jnp.split(y, 2, axis=-1)
    return jnp.tanh(a) * nn.sigmoid(b)


class GatedPixelCNN(AutoregressiveModel):
    """Images `[batch, height, width, channels]`.

    Layer l: `u = V_l * v`, `v <- gate(u)`; `h <- h + O_l(gate(H_l * h + D_l u))`. V sees `size` columns of the rows up
    to this one, in the first layer of those above it; H the pixels of the row so far, in the first layer without the
    symbol itself. Channels of a pixel see one another in order. The class shifts both gates.

    Attributes:
      width: hidden channels, a multiple of the image's.
      layers: how many.
      size: side of the kernels, odd.
      classes: of the condition; 0 has none.
      dropout: rate on what the gates of h let through.
      dtype: of the computation; parameters stay float32.
    """

    width: int = 32
    layers: int = 5
    size: int = 5
    classes: int = 0
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    def setup(self):
        dense = functools.partial(MaskedDense, dtype=self.dtype)
        self.vertical = [dense() for _ in range(self.layers)]
        self.down = [dense() for _ in range(self.layers)]
        self.horizontal = [dense() for _ in range(self.layers)]
        self.out = [dense() for _ in range(self.layers)]
        self.head = [dense(), dense()]
        if self.classes:
            self.embed = [nn.Embed(self.classes, 2 * self.width, dtype=self.dtype) for _ in range(2 * self.layers)]
        self.drop = nn.Dropout(self.dropout)

    @property
    def _reach(self) -> int:
        return self.size // 2

    def _biases(self, condition: jax.Array | None) -> list[Any]:
        """Of V in each layer, then of H in each: `[batch, 1, 1, 2 * width]`."""
        if not self.classes:
            return [0.0] * (2 * self.layers)
        check_class(self.classes, condition)
        return [embed(condition)[:, None, None, :] for embed in self.embed]

    def _see_above(self, layer: int, seen: jax.Array) -> jax.Array:
        """u of a layer from the neighbours of v."""
        return self.vertical[layer](seen, np.ones((seen.shape[-1], 2 * self.width), bool))

    def _see_row(self, layer: int, seen: jax.Array, from_above: jax.Array, h: Any, channels: int) -> jax.Array:
        """The next h from the neighbours of h, the pixel itself the last of them."""
        own = seen.shape[-1] // (self._reach + 1)
        mask = np.ones((seen.shape[-1], self.width), bool)
        mask[-own:] = group_mask(own, self.width, channels, strict=layer == 0)
        y = self.horizontal[layer](seen, np.tile(mask, 2)) + from_above
        y = self.drop(gate(y), deterministic=not self.has_rng("dropout"))
        return h + self.out[layer](y, group_mask(self.width, self.width, channels, strict=False))

    def _down(self, layer: int, u: jax.Array) -> jax.Array:
        return self.down[layer](u, np.ones((2 * self.width, 2 * self.width), bool))

    def _head(self, h: jax.Array, channels: int) -> jax.Array:
        for dense, features in zip(self.head, (self.width, channels * self.levels), strict=True):
            h = dense(nn.relu(h), group_mask(self.width, features, channels, strict=False))
        return split_channels(h, channels, self.levels)

    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        channels, reach = x.shape[-1], self._reach
        check_groups(self.width, channels)
        biases = self._biases(condition)
        columns = range(-reach, reach + 1)
        v, h, residual = pixels(x, self.levels, self.dtype), pixels(x, self.levels, self.dtype), 0.0
        for layer in range(self.layers):
            rows = range(-reach, min(layer, 1))
            u = self._see_above(layer, neighbours(v, [(dy, dx) for dy in rows for dx in columns]))
            u += biases[layer]
            seen = neighbours(h, [(0, dx) for dx in range(-reach, 1)])
            h = residual = self._see_row(
                layer, seen, self._down(layer, u) + biases[self.layers + layer], residual, channels
            )
            v = gate(u)
        return self._head(h, channels)

    def start(self, event: tuple[int, ...], batch: int, condition: jax.Array | None = None) -> Any:
        """The pixels so far; of each layer the rows above of v, and in this row what they add and the last few h."""
        height, width, channels = event
        check_groups(self.width, channels)
        reach, later, dtype = self._reach, self.layers - 1, self.dtype or float
        return {
            "pixels": jnp.zeros((batch, reach + height, reach + width, 2 * channels), dtype),
            "v": [jnp.zeros((batch, reach, width, self.width), dtype) for _ in range(later)],
            "from_above": [jnp.zeros((batch, 1, width, 2 * self.width), dtype) for _ in range(self.layers)],
            "h": [jnp.zeros((batch, 1, reach + 1, self.width), dtype) for _ in range(later)],
            "biases": self._biases(condition),
        }

    def step(self, cache: Any, position: jax.Array, previous: jax.Array) -> tuple[Any, jax.Array]:
        reach, (batch, _, width, channels) = self._reach, cache["pixels"].shape
        width, channels = width - reach, channels // 2
        pixel, channel = jnp.divmod(position, channels)
        row, column = jnp.divmod(pixel, width)

        last_pixel, last_channel = jnp.divmod(jnp.maximum(position - 1, 0), channels)
        at = (0, reach + last_pixel // width, reach + last_pixel % width, 2 * last_channel)
        new = pixels(previous.reshape(batch, 1, 1, 1), self.levels, self.dtype)
        written = jax.lax.dynamic_update_slice(cache["pixels"], new, at)
        cache = {**cache, "pixels": jnp.where(position > 0, written, cache["pixels"])}

        cache = jax.lax.cond((column == 0) & (channel == 0), lambda c: self._start_row(c, row), lambda c: c, cache)

        shape = (batch, 1, reach + 1, 2 * channels)
        seen = jax.lax.dynamic_slice(cache["pixels"], (0, reach + row, column, 0), shape)
        h, windows = jnp.zeros(()), []
        for layer in range(self.layers):
            from_above = jax.lax.dynamic_slice_in_dim(cache["from_above"][layer], column, 1, axis=2)
            if layer:
                window = cache["h"][layer - 1]
                moved = jnp.concatenate([window[:, :, 1:], h], axis=2)
                # A pixel's channels after the first look again at the same pixels.
                seen = jnp.where(channel == 0, moved, jnp.concatenate([window[:, :, :-1], h], axis=2))
                windows.append(seen)
            h = self._see_row(layer, seen.reshape(batch, 1, 1, -1), from_above, h, channels)
        logits = self._head(h, channels)[:, 0, 0]
        return {**cache, "h": windows}, jax.lax.dynamic_index_in_dim(logits, channel, axis=1, keepdims=False)

    def _start_row(self, cache: Any, row: jax.Array) -> Any:
        """V's share of a whole row, all of which stands above it, and no pixels before its first."""
        reach = self._reach
        columns = [(dx,) for dx in range(-reach, reach + 1)]
        v = jax.lax.dynamic_slice_in_dim(cache["pixels"], row, reach, axis=1)[:, :, reach:]
        kept, from_above = [], []
        for layer in range(self.layers):
            if layer:
                v = jnp.concatenate([cache["v"][layer - 1], v], axis=1)
                kept.append(v[:, 1:])
            seen = jnp.concatenate([neighbours(v[:, i], columns) for i in range(v.shape[1])], axis=-1)[:, None]
            u = self._see_above(layer, seen) + cache["biases"][layer]
            from_above.append(self._down(layer, u) + cache["biases"][self.layers + layer])
            v = gate(u)
        return {**cache, "v": kept, "from_above": from_above, "h": [jnp.zeros_like(h) for h in cache["h"]]}
