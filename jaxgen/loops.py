"""The one place that decides whether a loop is unrolled or compiled as a loop.

XLA:CPU runs convolution gradients inside a compiled loop some 80 times slower than unrolled; everything else, and every
accelerator, is as fast in a loop and compiles in a fraction of the time. Loops over layers, repeats of a phase,
micro-batches and steps per dispatch all go through here.
"""

from collections.abc import Callable
from typing import Any

import jax


def scan(body: Callable, carry: Any, xs: Any) -> tuple[Any, Any]:
    """`jax.lax.scan`, unrolled where the backend is a CPU and the body convolves.

    Args:
      body: `(carry, x) -> (carry, y)`.
      carry: the initial carry.
      xs: pytree of arrays `[length, ...]`.

    Returns:
      `(carry, ys)` with `ys` stacked to `[length, ...]`.
    """
    return jax.lax.scan(body, carry, xs, unroll=_unrolls(body, carry, xs))


def _unrolls(body: Callable, carry: Any, xs: Any) -> bool:
    if jax.default_backend() != "cpu":
        return False
    if jax.tree.leaves(xs)[0].shape[0] == 1:
        return True
    first = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), xs)
    return "conv_general_dilated" in str(jax.make_jaxpr(body)(carry, first))
