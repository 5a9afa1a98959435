"""A gated recurrent unit whose state is a map: what moves is remembered where it is.

Ballas et al., 2016, "Delving Deeper into Convolutional Networks for Learning Video Representations", equations 6 to 9;
with the gates of Clark et al., 2019, "Adversarial Video Generation on Complex Datasets", appendix A.2.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.layers.causal_conv import neighbours

WINDOW = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


class ConvGRU(nn.Module):
    """Frames `[batch, time, height, width, channels]` to states `[batch, time, height, width, width]`.

    With * a convolution of 3x3: `r = σ(W_r * [h, x])`, `u = σ(W_u * [h, x])`, `c = relu(W_c * [r·h, x])`,
    `h <- u·h + (1 - u)·c`, from h = 0. What the frames add is computed of all at once; made of matrix products, the
    rest is a compiled loop.

    Attributes:
      width: channels of the state.
      dtype: of the computation; parameters stay float32.
    """

    width: int
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, time, height, columns, _ = x.shape
        frames = neighbours(x.reshape(-1, *x.shape[2:]), WINDOW)
        added = nn.Dense(3 * self.width, dtype=self.dtype, name="frames")(frames)
        added = added.reshape(batch, time, height, columns, 3 * self.width)

        def one(self, h: jax.Array, from_frame: jax.Array) -> tuple[jax.Array, jax.Array]:
            gates, candidate = jnp.split(from_frame, [2 * self.width], axis=-1)
            dense = nn.Dense(2 * self.width, use_bias=False, dtype=self.dtype, name="gates")
            r, u = jnp.split(nn.sigmoid(dense(neighbours(h, WINDOW)) + gates), 2, axis=-1)
            dense = nn.Dense(self.width, use_bias=False, dtype=self.dtype, name="candidate")
            h = u * h + (1 - u) * nn.relu(dense(neighbours(r * h, WINDOW)) + candidate)
            return h, h

        loop = nn.scan(one, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1)
        return loop(self, jnp.zeros((batch, height, columns, self.width), added.dtype), added)[1]
