"""Neural style transfer: what of a picture is its style. Gatys et al. 2016, "Image Style Transfer Using CNNs"."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.losses.arrays import at_least_float32


def gram(features: ArrayLike) -> jax.Array:
    """How channels go together, wherever in the image: products of pairs of maps, averaged over their pixels.

    The paper's equation 3, divided by the number of pixels so that images of other sizes compare.

    Args:
      features: `[batch, height, width, channels]`.

    Returns:
      `[batch, channels, channels]`.
    """
    (features,) = at_least_float32(features)
    return jnp.einsum("bhwi,bhwj->bij", features, features) / (features.shape[1] * features.shape[2])


def style_loss(features: ArrayLike, target: ArrayLike) -> jax.Array:
    """Squared distance of the Gram matrices over `4 channels^2`, `[batch]`: the paper's equation 4, for one layer."""
    ours, theirs = gram(features), gram(target)
    return jnp.sum(jnp.square(ours - theirs), (1, 2)) / (4 * ours.shape[-1] ** 2)
