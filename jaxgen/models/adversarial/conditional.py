"""A network that knows its input's label, made of one that does not.

Mirza & Osindero 2014, "Conditional Generative Adversarial Nets", section 3.2.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn


class WithLabel(nn.Module):
    """Appends the label, one-hot, to the channels of each input: of a latent vector as of every pixel.

    Attributes:
      network: of `(x, *, train)`.
      classes: how many labels there are.
    """

    network: nn.Module
    classes: int

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array, *, train: bool) -> jax.Array:
        """The network's result for x `[batch, ..., channels]` with labels `[batch]`."""
        label = jax.nn.one_hot(label, self.classes, dtype=x.dtype)
        label = label.reshape(x.shape[0], *[1] * (x.ndim - 2), self.classes)
        label = jnp.broadcast_to(label, (*x.shape[:-1], self.classes))
        return self.network(jnp.concatenate([x, label], -1), train=train)


class Joined(nn.Module):
    """Puts all parts of the latents into one vector, those that are classes as one-hot, for a network of one.

    Attributes:
      network: of `(z [batch, n], *, train)`.
      classes: how many each part of whole numbers has.
    """

    network: nn.Module
    classes: int

    @nn.compact
    def __call__(self, *latents: jax.Array, train: bool) -> jax.Array:
        """The network's result for parts `[batch, n]` and classes `[batch]`."""
        parts = [
            jax.nn.one_hot(x, self.classes) if jnp.issubdtype(x.dtype, jnp.integer) else x for x in latents
        ]  # fmt: skip
        return self.network(jnp.concatenate(parts, -1), train=train)
