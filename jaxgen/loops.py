"""The one place that decides whether a loop is unrolled or compiled as a loop, and a branch taken or computed.

XLA:CPU runs convolution gradients inside a compiled loop many times slower than unrolled (20 times in a DCGAN step);
dense networks measured faster in a loop, and compile in a fraction of the time. Accelerators keep their loops. A
transformer's layers are written out everywhere. Loops over layers, repeats of a phase, micro-batches and steps per
dispatch all go through here.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import target

_WRITTEN_OUT = 24  # layers of a transformer, of which a TPU's compiler took 155 s for 12 on two busy cores


def scan(body: Callable, carry: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    """`jax.lax.scan`, unrolled where it will run on a CPU and the body convolves.

    Args:
      body: `(carry, x) -> (carry, y)`.
      carry: the initial carry.
      xs: pytree of arrays `[length, ...]`.
      reverse: go from the last x to the first; each y still stands where its x does.

    Returns:
      `(carry, ys)` with `ys` stacked to `[length, ...]`.
    """
    body = jax.jit(body, inline=True)  # Python goes through it once, however often it is unrolled
    length = jax.tree.leaves(xs)[0].shape[0]
    first = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), xs)
    if length == 0 or (length > 1 and not unrolls(body, carry, first)):
        return jax.lax.scan(body, carry, xs, reverse=reverse)
    ys: list[Any] = [None] * length  # `lax.scan(unroll=True)` would leave a loop of one iteration, which is as slow
    for i in reversed(range(length)) if reverse else range(length):
        carry, ys[i] = body(carry, jax.tree.map(lambda x, i=i: x[i], xs))
    return carry, jax.tree.map(lambda *leaves: jnp.stack(leaves), *ys)


def unrolls(body: Callable, *args: Any) -> bool:
    """Whether a loop over `body` is to be unrolled; `args` are its arguments or their shapes."""
    return target.platform() == "cpu" and "conv_general_dilated" in str(jax.make_jaxpr(body)(*args))


def written_out(layers: int) -> int:
    """How many of a transformer's layers stand in one iteration of their loop: the `unroll` of `nn.scan`.

    All, where they are not so many that compiling takes too long. A loop copies what it keeps for the gradient into
    arrays of all layers and out again, and gathers the layers' weights anew: 12 layers take 48 ms a step for 61 on an
    H200, are predicted 83 ms for 108 on a v5e:4x4, and four are 1.16 times as fast on a CPU.
    """
    return layers if layers <= _WRITTEN_OUT else 1


def when(wanted: Any, compute: Callable, x: Any) -> Any:
    """`compute(x)` where `wanted`, elsewhere zeros; on accelerators always the former, as a branch there may stall.

    Args:
      wanted: bool `[]`.
      compute: `x -> y`, arrays.
      x: its argument, a pytree of arrays.
    """
    if target.platform() != "cpu":
        return compute(x)
    zeros = jax.tree.map(lambda y: jnp.zeros(y.shape, y.dtype), jax.eval_shape(compute, x))
    return jax.lax.cond(wanted, compute, lambda x: zeros, x)
