"""New layers that are faded in: Karras et al. 2018, "Progressive Growing of GANs", figure 2."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.layers.resample import enlarge, mean_pool

FADE = "fade"  # the collection in which a network keeps alpha, the share of its newest layers


def alpha_of(module: nn.Module) -> jax.Array:
    """The module's share of its newest layers, `[]`, from 0 to 1, where it begins: whoever trains it sets it."""
    return module.variable(FADE, "alpha", jnp.ones, ()).value


def between(old: jax.Array, new: jax.Array, alpha: ArrayLike) -> jax.Array:
    """Exactly the old at 0, exactly the new at 1."""
    alpha = jnp.asarray(alpha, new.dtype)
    return (1 - alpha) * old + alpha * new


def blended(images: jax.Array, alpha: ArrayLike) -> jax.Array:
    """Images `[batch, height, width, channels]`, as blurred as those of a generator whose last block weighs alpha."""
    return between(enlarge(mean_pool(images)), images, alpha)
