"""Ladder variational autoencoders: what the data say of each level, from below, meets its prior, from above.

Sonderby et al. 2016, "Ladder Variational Autoencoders", equations 6 to 10.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp

from jaxgen.losses.levels import Gaussian, merged

Sample = Callable[[Gaussian, Gaussian | None], jax.Array]


def _layers(x: jax.Array, units: int, dtype: Any, name: str) -> jax.Array:
    for layer in range(2):
        x = nn.leaky_relu(nn.Dense(units, dtype=dtype, name=f"{name}_{layer}")(x), 0.1)
    return x


def _gaussian(x: jax.Array, size: int, dtype: Any, name: str) -> Gaussian:
    mean, log_variance = jnp.split(nn.Dense(2 * size, dtype=dtype, name=name)(x), 2, axis=-1)
    # Of either sign, but neither so far that merging or the divergence overflows.
    return Gaussian(mean, 8 * jnp.tanh(log_variance / 8))


class LadderEncoder(nn.Module):
    """A Gaussian of each level's z, from x alone.

    Attributes:
      latents: size of each level, from the data up.
      hidden: units of the two layers below each level.
      dtype: of the computation; parameters stay float32.
    """

    latents: Sequence[int]
    hidden: Sequence[int]
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> list[Gaussian]:
        """Images `[batch, ...]` to Gaussians `[batch, size]`, from the top down, as they are used."""
        x, found = x.reshape(x.shape[0], -1), []
        for level, (size, units) in enumerate(zip(self.latents, self.hidden, strict=True)):
            x = _layers(x, units, self.dtype, f"up_{level}")
            found.append(_gaussian(x, size, self.dtype, f"evidence_{level}"))
        return found[::-1]


class LadderDecoder(nn.Module):
    """p(x, z): the top level standard normal, each other Gaussian given the one above, and x given the lowest.

    Attributes:
      latents: size of each level, from the data up.
      hidden: units of the two layers above each level but the top, and of those above x, from the data up.
      event_shape: of one image.
      outputs: numbers the likelihood needs a pixel.
      dtype: of the computation; parameters stay float32.
    """

    latents: Sequence[int]
    hidden: Sequence[int]
    event_shape: Sequence[int]
    outputs: int = 1
    dtype: Any = None

    @property
    def levels(self) -> list[tuple[int, ...]]:
        """The shapes of z from the top down."""
        return [(size,) for size in reversed(self.latents)]

    @nn.compact
    def __call__(self, evidence: Sequence[Gaussian] | None, *, count: int, sample: Sample) -> jax.Array:
        """Likelihood parameters `[count, *event_shape, outputs]`.

        Args:
          evidence: of the encoder; None where nothing is known of x.
          count: of examples.
          sample: draws a level, given its prior and, where there is evidence, its posterior.
        """
        standard = jnp.zeros((count, self.latents[-1]))
        prior = Gaussian(standard, standard)
        for depth, level in enumerate(reversed(range(len(self.latents)))):
            z = sample(prior, None if evidence is None else merged(prior, evidence[depth]))
            x = _layers(z, self.hidden[level], self.dtype, f"down_{level}")
            if level:
                prior = _gaussian(x, self.latents[level - 1], self.dtype, f"prior_{level - 1}")
        pixels = nn.Dense(math.prod(self.event_shape) * self.outputs, dtype=self.dtype, name="likelihood")(x)
        return pixels.reshape(count, *self.event_shape, self.outputs)
