"""The two networks a GAN needs to learn its generator's inverse: an encoder, and a critic of pairs.

Donahue et al. 2017, "Adversarial Feature Learning"; Dumoulin et al. 2017, "Adversarially Learned Inference"; unary
terms by Donahue & Simonyan 2019, "Large Scale Adversarial Representation Learning", section 2.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


class Encoder(nn.Module):
    """`[batch, ...]` to latents `[batch, latent_size]`: a linear map of a trunk's features.

    Attributes:
      trunk: of `(x, *, train)` to features `[batch, n]`.
      latent_size: of z.
      dtype: of the computation; parameters stay float32.
    """

    trunk: nn.Module
    latent_size: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """The latents."""
        return nn.Dense(self.latent_size, dtype=self.dtype, name="z")(self.trunk(x, train=train))


class PairCritic(nn.Module):
    """Pairs of x `[batch, ...]` and z `[batch, latent]` to scores `[batch]`; with `unary`, of the pair, of x and of z.

    Attributes:
      trunk: of `(x, *, train)` to features `[batch, n]`.
      hidden: units of the layers on z and on the pair.
      unary: whether x and z are judged alone, too: three scores that BigBiGAN's losses take one by one.
      dtype: of the computation; parameters stay float32.
    """

    trunk: nn.Module
    hidden: int = 256
    unary: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, z: jax.Array, *, train: bool) -> Any:
        """The score, or the three."""
        of_x, of_z = self.trunk(x, train=train), self._rectified("z", z)
        pair = self._rectified("pair_1", self._rectified("pair_0", jnp.concatenate([of_x, of_z], -1)))
        if not self.unary:
            return self._score("score", pair)
        return self._score("score", pair), self._score("score_x", of_x), self._score("score_z", of_z)

    def _rectified(self, name: str, x: jax.Array) -> jax.Array:
        return nn.leaky_relu(nn.Dense(self.hidden, dtype=self.dtype, name=name)(x), 0.2)

    def _score(self, name: str, features: jax.Array) -> jax.Array:
        return nn.Dense(1, dtype=self.dtype, name=name)(features)[:, 0]
