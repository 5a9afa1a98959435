"""A masked autoregressive flow on sequences of vectors, its conditioner a causal transformer: one block of TarFlow."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgen.bijectors.bijector import Bijector, check_axes, sum_per_example, widen
from jaxgen.bijectors.coupling import Affine, Transform
from jaxgen.layers.transformer import Block, empty_cache


class CausalTransformer(Bijector):
    """x_t = f(z_t; c_t(x_1 … x_(t-1))), z_t = f⁻¹(x_t; c_t(x_1 … x_(t-1))), t along `[batch, length, channels]`.

    c_1 = 0, so that the first vector stays as it is. log|det dx/dz| = Σ log f'(z), log|det dz/dx| = -Σ log f'(z): both
    Jacobians are block triangular. Data to base is one pass; base to data one compiled loop over positions in which
    every layer keeps its keys and values. Zhai et al., 2024, "Normalizing Flows are Capable Generative Models",
    equations 4 to 6, where f is x = exp(α)·z + μ; here the scale is bounded by the transform. Starts as the identity.

    Attributes:
      width: of the transformer.
      layers: its blocks.
      heads: of their attention; they divide the width.
      transform: the elementwise f.
      classes: of the condition, int `[batch]`, which every position is told, and -1 tells nothing; 0 has none.
      guidance: w, by which the transform's raw numbers are those told the class, and w times their difference from
        those told nothing. Still a bijection, whose samples are more of their class; it is 0 where it is trained.
      reverse: go through the sequence from its end.
      dtype: of the transformer's computation; the flow's own path and the log-dets run in float32.
    """

    width: int
    layers: int
    heads: int = 1
    transform: Transform = Affine()
    classes: int = 0
    guidance: float = 0.0
    reverse: bool = False
    dtype: DTypeLike | None = None

    @property
    def conditional(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.classes > 0

    def setup(self):
        self.into = nn.Dense(self.width, dtype=self.dtype)
        self.blocks = [Block(self.heads, self.layers, rotate=False, dtype=self.dtype) for _ in range(self.layers)]
        self.norm = nn.LayerNorm()
        self.out = ZeroDense(self.transform.parameters, dtype=self.dtype)
        self.place = Places(self.width)
        if self.classes:
            self.label = nn.Embed(self.classes, self.width, dtype=self.dtype)

    def _embedded(self, x: jax.Array, places: jax.Array, condition: jax.Array | None) -> jax.Array:
        """What the first block sees of vectors `[batch, n, channels]` at places `[n, width]`.

        With guidance first all that is told its class, then the same that is told nothing.
        """
        y = self.into(x) + places.astype(self.dtype or x.dtype)
        if condition is None:
            return y
        told = y + jnp.where(condition[:, None] < 0, 0, self.label(jnp.maximum(condition, 0)))[:, None]
        return jnp.concatenate([told, y]) if self.guidance else told

    def _raw(self, y: jax.Array, channels: int) -> jax.Array:
        """The transform's numbers, of what the last block gives."""
        raw = widen(self.out(self.norm(y), channels))
        if not self.guidance:
            return raw
        told, untold = jnp.split(raw, 2)
        return told + self.guidance * (told - untold)

    def _flipped(self, x: jax.Array) -> jax.Array:
        check_axes(self, x, "batch, length, channels")
        return jnp.flip(x, axis=1) if self.reverse else x

    def inverse_and_log_det(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        x = self._flipped(widen(x))
        y = self._embedded(x, self.place(x.shape[1]), condition)
        for block in self.blocks:
            y, _ = block(y)
        raw = self._raw(y, x.shape[-1])
        raw = jnp.pad(raw, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        z, log_derivative = self.transform.inverse(x, raw)
        return self._flipped(z), sum_per_example(log_derivative)

    def forward_and_log_det(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        z = self._flipped(widen(z))
        batch, length, channels = z.shape
        places = self.place(length)

        def one(self, carry: Any, at: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
            """x_t from what the transformer made of x_1 … x_(t-1), and what it makes of x_t."""
            raw, caches = carry
            x, log_derivative = self.transform.forward(jax.lax.dynamic_slice_in_dim(z, at, 1, axis=1), raw)
            y = self._embedded(x, jax.lax.dynamic_slice_in_dim(places, at, 1), condition)
            kept = []
            for block, cache in zip(self.blocks, caches, strict=True):
                y, cache = block(y, cache, at)
                kept.append(cache)
            raw = self._raw(y, channels).astype(raw.dtype)
            return (raw, kept), (x[:, 0], sum_per_example(log_derivative))

        copies = 2 if self.guidance else 1
        caches = [
            empty_cache(copies * batch, length, self.width, self.heads, self.dtype or z.dtype) for _ in self.blocks
        ]
        start = jnp.zeros((batch, 1, self.transform.parameters * channels), z.dtype), caches
        loop = nn.scan(one, variable_broadcast="params", split_rngs={"params": False})
        _, (x, log_det) = loop(self, start, jnp.arange(length))
        return self._flipped(x.swapaxes(0, 1)), jnp.sum(log_det, axis=0)


class ZeroDense(nn.Module):
    """Dense layer `(x, channels) -> [..., parameters * channels]` that starts at zero."""

    parameters: int
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, channels: int) -> jax.Array:
        return nn.Dense(self.parameters * channels, kernel_init=nn.initializers.zeros, dtype=self.dtype)(x)


class Places(nn.Module):
    """A learned vector `[length, width]` for each position."""

    width: int

    @nn.compact
    def __call__(self, length: int) -> jax.Array:
        return self.param("place", nn.initializers.normal(0.02), (length, self.width))
