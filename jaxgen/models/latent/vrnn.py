"""The variational recurrent network: a latent at every time, whose prior knows what has been.

Chung et al., 2015, "A Recurrent Latent Variable Model for Sequential Data", equations 5 to 11.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.losses.arrays import at_least_float32
from jaxgen.losses.variational import gaussian_kl, gaussian_log_prob


class Heard(NamedTuple):
    """What a series says.

    Attributes:
      log_prob: `sum_t log p(x_t | z_1..t, x_1..t-1)` of the draws of z, `[batch]`, nats.
      kl: `sum_t KL(q(z_t | x_1..t, z_1..t-1) || p(z_t | x_1..t-1, z_1..t-1))`, `[batch]`, nats.
      last: the mean of q at the last time, `[batch, latent]`.
    """

    log_prob: jax.Array
    kl: jax.Array
    last: jax.Array


class _Cell(nn.Module):
    latent: int
    width: int
    dtype: Any

    @nn.compact
    def __call__(self, h: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        x, noise = now
        prior = self._gaussian("prior", self.latent, h)
        mean, log_variance = self._gaussian("encoder", self.latent, x, h)
        z = mean + jnp.exp(log_variance / 2) * noise
        decoded = self._gaussian("decoder", x.shape[-1], z, h)
        h, _ = nn.GRUCell(self.width, dtype=self.dtype, name="recurrence")(h, jnp.concatenate([x, z], axis=-1))
        # Invariant under the affine map that makes the prior a standard normal.
        kl = gaussian_kl((mean - prior[0]) * jnp.exp(-prior[1] / 2), log_variance - prior[1])
        return h, (gaussian_log_prob(x, *decoded), kl, mean)

    def _gaussian(self, name: str, features: int, *inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and log-variance of what the inputs say."""
        y = nn.relu(nn.Dense(self.width, dtype=self.dtype, name=f"{name}_hidden")(jnp.concatenate(inputs, axis=-1)))
        y = nn.Dense(2 * features, dtype=self.dtype, name=name)(y)
        mean, log_variance = jnp.split(at_least_float32(y)[0], 2, axis=-1)
        return mean, log_variance


class VRNN(nn.Module):
    """Series `[batch, time, dimensions]` and noise `[batch, time, latent]`, standard normal, to what they say.

    Attributes:
      latent: dimensions of z.
      width: of the recurrent state and of hidden layers.
      dtype: of the computation; parameters, variances and likelihoods stay float32.
    """

    latent: int = 8
    width: int = 32
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, noise: jax.Array, *, train: bool = False) -> Heard:
        """Listens; `train` changes nothing."""
        scan = functools.partial(nn.scan, variable_broadcast="params", split_rngs={"params": False}, in_axes=1)
        cell = scan(_Cell, out_axes=1)(self.latent, self.width, self.dtype, name="cell")
        h = jnp.zeros((len(x), self.width), self.dtype or jnp.result_type(x, jnp.float32))
        _, (log_prob, kl, mean) = cell(h, (x, noise))
        return Heard(jnp.sum(log_prob, axis=1), jnp.sum(kl, axis=1), mean[:, -1])
