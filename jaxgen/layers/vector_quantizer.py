"""Bottlenecks of discrete codes: a codebook of moving averages (VQ-VAE), and rounding (FSQ)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.lax import stop_gradient


class Quantized(NamedTuple):
    """What a bottleneck made of z.

    Attributes:
      z: the codes' vectors `[batch, ..., size]`, whose gradient goes on to the encoder as it is: straight through.
      codes: `[batch, ...]`, integers.
      commitment: squared distance of the encoder's z from its code's vector, summed over the event, `[batch]`: the last
        term of VQ-VAE's eq. 3 without its beta, with a gradient for the encoder alone.
    """

    z: jax.Array
    codes: jax.Array
    commitment: jax.Array


class VectorQuantizer(nn.Module):
    """Replaces vectors by the nearest of a codebook: van den Oord et al. 2017, equations 1 to 3 and appendix A.1.

    Each code's vector is the moving average of the vectors that it was nearest to. The codebook is the collection
    `codebook`, which moves where it is mutable; a code that is hardly used then starts again at one of the batch's
    vectors, drawn by the stream `restart`.

    Attributes:
      codes: number of them.
      decay: gamma, of the averages; 0 is one step of k-means.
      restart_below: average uses in a batch under which a code starts again; 0 lets none.
      epsilon: of Laplace's smoothing of the uses.
    """

    codes: int
    decay: float = 0.99
    restart_below: float = 0.0
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, z: jax.Array) -> Quantized:
        """z `[batch, ..., size]`."""
        flat = z.reshape(-1, z.shape[-1]).astype(jnp.promote_types(z.dtype, jnp.float32))

        def first() -> jax.Array:
            return flat[jax.random.choice(self.make_rng("params"), len(flat), (self.codes,), len(flat) < self.codes)]

        vectors = self.variable("codebook", "vectors", first)
        uses = self.variable("codebook", "uses", jnp.ones, (self.codes,))
        sums = self.variable("codebook", "sums", lambda: vectors.value)

        # |z|^2 is the same for all codes.
        distance = jnp.sum(jnp.square(vectors.value), -1) - 2 * flat @ vectors.value.T
        codes = jnp.argmin(distance, axis=-1)
        nearest = stop_gradient(vectors.value[codes]).reshape(z.shape).astype(z.dtype)
        if self.is_mutable_collection("codebook") and not self.is_initializing():
            belongs, data = jax.nn.one_hot(codes, self.codes, dtype=flat.dtype), stop_gradient(flat)
            uses.value = self.decay * uses.value + (1 - self.decay) * jnp.sum(belongs, 0)
            sums.value = self.decay * sums.value + (1 - self.decay) * belongs.T @ data
            if self.restart_below:
                rare = uses.value < self.restart_below
                chosen = data[jax.random.randint(self.make_rng("restart"), (self.codes,), 0, len(data))]
                uses.value = jnp.where(rare, self.restart_below, uses.value)
                sums.value = jnp.where(rare[:, None], self.restart_below * chosen, sums.value)
            total = jnp.sum(uses.value)
            smoothed = (uses.value + self.epsilon) / (total + self.codes * self.epsilon) * total
            vectors.value = sums.value / smoothed[:, None]
        return Quantized(_straight_through(z, nearest), codes.reshape(z.shape[:-1]), _commitment(z, nearest))

    def look_up(self, codes: jax.Array) -> jax.Array:
        """The vectors of `codes` `[...]`: `[..., size]`."""
        return self.get_variable("codebook", "vectors")[codes]


class FiniteScalarQuantizer(nn.Module):
    """Rounds each of a few numbers to one of its levels, so that there is no codebook to learn: Mentzer et al. 2024.

    Attributes:
      levels: of each number; there are as many codes as their product.
    """

    levels: Sequence[int]

    @property
    def codes(self) -> int:
        """How many there are."""
        return math.prod(self.levels)

    def __call__(self, z: jax.Array) -> Quantized:
        """z `[batch, ..., len(levels)]`; what comes out lies in [-1, 1]."""
        levels = jnp.array(self.levels)
        # A tanh squeezes z into the levels' range; that of an even number is not symmetric about 0.
        offset = jnp.where(levels % 2 == 0, 0.5, 0.0)
        reach = (levels - 1) / 2 * (1 + 1e-3)
        squeezed = reach * jnp.tanh(z + jnp.arctanh(offset / reach)) - offset
        rounded = jnp.round(stop_gradient(squeezed))
        places = jnp.array([math.prod(self.levels[:place]) for place in range(len(self.levels))])
        codes = jnp.sum((rounded.astype(int) + levels // 2) * places, -1)
        quantized = _straight_through(squeezed, rounded) / (levels // 2)
        return Quantized(quantized, codes, jnp.zeros(z.shape[0]))

    def look_up(self, codes: jax.Array) -> jax.Array:
        """The numbers of `codes` `[...]`: `[..., len(levels)]`."""
        levels = jnp.array(self.levels)
        places = jnp.array([math.prod(self.levels[:place]) for place in range(len(self.levels))])
        return (codes[..., None] // places % levels - levels // 2) / (levels // 2)


def _straight_through(z: jax.Array, quantized: jax.Array) -> jax.Array:
    return z + stop_gradient(quantized - z)


def _commitment(z: jax.Array, nearest: jax.Array) -> jax.Array:
    # Of z as it came: straight through, distance and gradient would both be zero.
    return jnp.sum(jnp.square((z - nearest).astype(jnp.float32)), axis=tuple(range(1, z.ndim)))
