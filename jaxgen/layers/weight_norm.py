"""Weight normalization: directions and lengths of a dense layer's weights apart, set by the first batch."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax.typing import DTypeLike

from jaxgen.layers.matrix import at_every_pixel


class WeightNormDense(nn.Module):
    """y = exp(g)·(x·v)/‖v‖ + b, of mean 0 and standard deviation `scale` for each feature on the first batch.

    Salimans & Kingma, 2016, "Weight Normalization", equations 2 and 6. A feature that does not vary there keeps
    exp(g) = `scale`.

    Attributes:
      features: how many.
      scale: of the first outputs.
      dtype: of the computation; parameters are float32.
    """

    features: int
    scale: float = 1.0
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[..., in]` to `[..., features]`."""
        v = self.param("kernel", nn.initializers.normal(0.05), (x.shape[-1], self.features))
        v = v / jnp.linalg.norm(v, axis=0)
        mean, deviation = jnp.zeros(self.features), jnp.ones(self.features)
        if self.is_initializing():
            y = at_every_pixel(x, v).reshape(-1, self.features)
            mean, spread = jnp.mean(y, axis=0), jnp.std(y, axis=0)
            deviation = jnp.where(spread > 1e-5, spread, 1.0)
        gain = jnp.exp(self.param("log_gain", lambda _: jnp.log(self.scale / deviation)))
        bias = self.param("bias", lambda _: -mean * self.scale / deviation)
        x, kernel, bias = promote_dtype(x, gain * v, bias, dtype=self.dtype)
        return at_every_pixel(x, kernel) + bias
