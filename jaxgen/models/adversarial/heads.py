"""Several answers of one trunk: a score beside classes, or beside what of the latents can be read from an image.

Odena et al. 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs", and its remedy, Gong et al. 2019, "Twin
Auxiliary Classifiers GAN"; Chen et al. 2016, "InfoGAN", appendix C. And a score beside the features that it is read
from: Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric".
"""

from collections.abc import Mapping
from typing import Any

import jax
from flax import linen as nn

from jaxgen.errors import UserError


class Heads(nn.Module):
    """`[batch, ...]` to a score `[batch]` and `{name: [batch, outputs]}`, all from the same features.

    Attributes:
      trunk: of `(x, *, train)` to features `[batch, n]`.
      outputs: how many outputs each head has, such as `{"label": 10}` or `{"label": 10, "twin": 10}` or a code's.
      hidden: units of a rectified layer that all heads but the score share; None for none.
      dtype: of the computation; parameters stay float32.

    Raises:
      UserError: when it is initialized, the trunk gives no vector an example.
    """

    trunk: nn.Module
    outputs: Mapping[str, int]
    hidden: int | None = None
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The score and the heads' outputs."""
        features = self.trunk(x, train=train)
        if features.ndim != 2:
            raise UserError(
                f"Heads reads features [batch, n], but its trunk, {type(self.trunk).__name__}, gives {features.shape} "
                f"for {x.shape}; let it end with one vector an example."
            )
        score = nn.Dense(1, dtype=self.dtype, name="score")(features)[:, 0]
        if self.hidden is not None:
            features = nn.leaky_relu(nn.Dense(self.hidden, dtype=self.dtype, name="hidden")(features), 0.2)
        return score, {name: nn.Dense(n, dtype=self.dtype, name=name)(features) for name, n in self.outputs.items()}


class WithFeatures(nn.Module):
    """`[batch, ...]` to a score `[batch]` and what it is a linear map of: the trunk's features.

    Attributes:
      trunk: of `(x, *, train)` to features `[batch, n]`.
      dtype: of the computation; parameters stay float32.
    """

    trunk: nn.Module
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        """The score and the features."""
        features = self.trunk(x, train=train)
        return nn.Dense(1, dtype=self.dtype, name="score")(features)[:, 0], features
