"""Self-attention over the pixels of a map.

Zhang et al. 2019, "Self-Attention Generative Adversarial Networks", section 3.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.layers.conv import Conv
from jaxgen.layers.dot_product import attend
from jaxgen.layers.resample import max_pool


class SelfAttention(nn.Module):
    """x + gamma·o(x): every pixel adds a mean of all others' values, weighted by how its query meets their keys.

    Queries and keys have an eighth of the channels, values a half; keys and values are pooled to a quarter of the
    pixels. Gamma starts at zero, and the layer as the identity. The softmax is computed in float32.

    Attributes:
      conv: makes a 1x1 convolution of `(features, kernel_size, *, use_bias, name)`.
    """

    conv: Callable[..., nn.Module] = Conv

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[batch, height, width, channels]`, of even size and at least 8 channels, to the same."""
        batch, height, width, channels = x.shape

        def pixels(name: str, features: int, pool: Callable = lambda x: x) -> jax.Array:
            y = pool(self.conv(features, (1, 1), use_bias=False, name=name)(x))
            # Queries and keys are filled up with zeros, as all three must be of one length.
            return jnp.pad(y.reshape(batch, -1, 1, features), ((0, 0), (0, 0), (0, 0), (0, channels // 2 - features)))

        query = pixels("query", channels // 8)
        key, value = pixels("key", channels // 8, max_pool), pixels("value", channels // 2, max_pool)
        # cuDNN's kernel, three times as fast alone, ended a bfloat16 step of this with an error of XLA's (jax 0.11.2).
        mixed = attend(query, key, value, scale=1.0, cudnn=False)
        mixed = mixed.reshape(batch, height, width, channels // 2)
        gamma = self.param("gamma", nn.initializers.zeros, (), jnp.float32)
        return x + gamma.astype(x.dtype) * self.conv(channels, (1, 1), use_bias=False, name="output")(mixed)
