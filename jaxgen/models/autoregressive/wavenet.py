"""WaveNet: causal convolutions whose reach doubles from layer to layer, for sound sample by sample.

Van den Oord, Dieleman, Zen et al., 2016, "WaveNet: A Generative Model for Raw Audio", sections 2.1 to 2.5.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.layers.causal_conv import neighbours
from jaxgen.models.autoregressive.contract import AutoregressiveModel, check_class
from jaxgen.models.autoregressive.gated_pixelcnn import gate
from jaxgen.models.autoregressive.transformer import shifted


class WaveNet(AutoregressiveModel):
    """Symbols `[batch, length]`, such as µ-law samples (`jaxgen.data.sound`).

    Each layer: `y = gate(F·(h(t - dilation), h(t)) + V·class)`, `h <- h + R·y`, `skip <- skip + S·y`. A symbol's logits
    see the `1 + sum(dilations)` before it.

    Attributes:
      width: channels of h.
      skip: channels of the sum over layers.
      dilations: of the layers.
      classes: of the condition; 0 has none.
      dtype: of the computation; parameters and logits stay float32.
    """

    width: int = 32
    skip: int = 128
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    classes: int = 0
    dtype: DTypeLike | None = None

    def setup(self):
        def dense(features: int) -> list[nn.Dense]:
            return [nn.Dense(features, dtype=self.dtype) for _ in self.dilations]

        self.embed = nn.Embed(self.levels, self.width, dtype=self.dtype)
        self.first = self.param("first", nn.initializers.normal(0.02), (self.width,))
        self.filters, self.residuals, self.skips = dense(2 * self.width), dense(self.width), dense(self.skip)
        if self.classes:
            self.conditions = [nn.Embed(self.classes, 2 * self.width, dtype=self.dtype) for _ in self.dilations]
        self.hidden = nn.Dense(self.skip, dtype=self.dtype)
        self.head = nn.Dense(self.levels)

    def _biases(self, condition: jax.Array | None) -> list[Any]:
        """Of each layer's gate, `[batch, 1, 2 * width]`."""
        if not self.classes:
            return [0.0 for _ in self.dilations]
        check_class(self.classes, condition)
        return [embed(condition)[:, None] for embed in self.conditions]

    def _layer(self, index: int, seen: jax.Array, bias: Any, h: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The next h, and what goes to the sum."""
        y = gate(self.filters[index](seen) + bias)
        return h + self.residuals[index](y), self.skips[index](y)

    def _out(self, skip: Any) -> jax.Array:
        return self.head(nn.relu(self.hidden(nn.relu(skip))))

    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        h, skip = shifted(self.embed(x), self.first), 0.0
        for index, (dilation, bias) in enumerate(zip(self.dilations, self._biases(condition), strict=True)):
            h, more = self._layer(index, neighbours(h, [(-dilation,), (0,)]), bias, h)
            skip += more
        return self._out(skip)

    def start(self, event: tuple[int, ...], batch: int, condition: jax.Array | None = None) -> Any:
        """A ring for each layer of as many h as it looks back, and the class's biases: Le Paine et al., 2016."""
        rings = [jnp.zeros((batch, dilation, self.width), self.dtype or float) for dilation in self.dilations]
        return rings, self._biases(condition)

    def step(self, cache: Any, position: jax.Array, previous: jax.Array) -> tuple[Any, jax.Array]:
        rings, biases = cache
        embedded, kept, skip = self.embed(previous[:, None]), [], 0.0
        h = jnp.where(position > 0, embedded, self.first.astype(embedded.dtype))
        for index, (ring, bias) in enumerate(zip(rings, biases, strict=True)):
            at = position % ring.shape[1]
            past = jax.lax.dynamic_slice_in_dim(ring, at, 1, axis=1)
            kept.append(jax.lax.dynamic_update_slice_in_dim(ring, h, at, axis=1))
            h, more = self._layer(index, jnp.concatenate([past, h], axis=-1), bias, h)
            skip += more
        return (kept, biases), self._out(skip)[:, 0]
