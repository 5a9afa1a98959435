"""What a convolution that looks back sees: neighbours at fixed offsets, for `MaskedDense` to multiply.

So only the weights that are there are multiplied, a cached step can take the same neighbours out of what it keeps, and,
made of matrix products, the layers may stand in a compiled loop on every backend.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

Offsets = Sequence[tuple[int, ...]]


def neighbours(x: jax.Array, offsets: Offsets) -> jax.Array:
    """What stands at fixed offsets from every position, zeros beyond the edge.

    Args:
      x: `[batch, *space, channels]`.
      offsets: of the neighbours, one number for each axis of space.

    Returns:
      `[batch, *space, len(offsets) * channels]`.
    """
    zero = jnp.zeros((), x.dtype)
    return jnp.concatenate(
        [jax.lax.pad(x, zero, ((0, 0, 0), *((-d, d, 0) for d in offset), (0, 0, 0))) for offset in offsets], axis=-1
    )


def group_mask(inputs: int, outputs: int, groups: int, strict: bool) -> np.ndarray:
    """Which inputs an output sees where both are cut into `groups` equal runs: those of its own run and before.

    Args:
      inputs: their number, a multiple of `groups`.
      outputs: their number, a multiple of `groups`.
      groups: how many runs, in order.
      strict: those before alone.

    Returns:
      bool `[inputs, outputs]`.
    """
    i = np.arange(inputs) * groups // inputs
    o = np.arange(outputs) * groups // outputs
    return i[:, None] < o if strict else i[:, None] <= o
