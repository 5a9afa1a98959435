"""Inverse autoregressive flow, the posterior of a variational autoencoder."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgen.bijectors.bijector import sum_per_example, widen
from jaxgen.bijectors.coupling import Affine
from jaxgen.layers.made import MADE


class IAF(nn.Module):
    """z_0 `[batch, size]` and a context h `[batch, ...]` to z and log|det dz/dz_0|, in one pass.

    A layer is z_i ← (z_i - t_i)·exp(-s_i), with s and t of element i computed by a `MADE` from the elements before it
    and h; then the order is reversed. Kingma et al. 2016, equations 10 and 11, with `Affine`'s bounded scale in the
    place of their gate. Starts as a permutation.

    Attributes:
      layers: autoregressive layers.
      widths: units of the hidden layers of each.
      dtype: type of the networks' computation; the flow's own path and the log-det run in float32.
    """

    layers: int
    widths: tuple[int, ...]
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, z: jax.Array, context: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        z, transform = widen(z), Affine()
        log_det = jnp.zeros(z.shape[:1], z.dtype)
        for _ in range(self.layers):
            raw = MADE(self.widths, self.dtype)(z, transform.parameters * z.shape[-1], context)
            z, log_derivative = transform.inverse(z, widen(raw))
            z, log_det = jnp.flip(z, axis=-1), log_det + sum_per_example(log_derivative)
        return z, log_det
