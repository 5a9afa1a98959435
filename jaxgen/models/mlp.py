"""Fully connected networks for points rather than images: the players of a game on the line or the plane."""

from typing import Any

import jax
from flax import linen as nn

from jaxgen.layers.spectral_norm import SpectralDense


class MLP(nn.Module):
    """`[batch, inputs]` to `[batch, features]` by ReLUs.

    Attributes:
      features: outputs.
      hidden: units of each hidden layer.
      spectral: whether all weights are spectrally normalized (Miyato et al. 2018).
      dtype: of the computation; parameters stay float32.
    """

    features: int
    hidden: tuple[int, ...] = (128, 128)
    spectral: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """The outputs; `train` changes nothing."""
        dense = SpectralDense if self.spectral else nn.Dense
        for units in self.hidden:
            x = nn.relu(dense(units, dtype=self.dtype)(x))
        return dense(self.features, dtype=self.dtype)(x)


class MLPCritic(MLP):
    """`[batch, inputs]` to scores `[batch]`; otherwise an `MLP` of one output."""

    features: int = 1

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """The scores; `train` changes nothing."""
        return super().__call__(x, train=train)[:, 0]
