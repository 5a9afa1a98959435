"""Floating-point operations of a traced function: matrix products and convolutions, loops counted in full.

XLA's own `cost_analysis` counts a loop's body once, whatever its length.
"""

import collections
import math
from typing import Any

import jax.numpy as jnp
from jax.extend import core
from jax.interpreters import partial_eval


def count_flops(jaxpr: Any) -> int:
    """Multiplications and additions in the matrix products and convolutions of a jaxpr, all devices together.

    A `scan` counts its body `length` times, a Pallas kernel its body at each place of its grid, a `shard_map` on each
    device, a `cond` its dearest branch, a `while`, whose length is unknown, once.
    What no result depends on, such as a first layer's gradient in its input, XLA leaves out, and so does the count.
    """
    return flops_by_kind(jaxpr).total()


def flops_by_kind(jaxpr: Any) -> collections.Counter[str]:
    """What `count_flops` counts, by what decides how fast it can go.

    A kind is the operands' type, "bfloat16" or "float8"; float32 with a precision above the default is "float32 high"
    or "float32 highest".
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    needed, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    return _count(needed)


def _count(jaxpr: Any) -> collections.Counter[str]:
    total: collections.Counter[str] = collections.Counter()
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        total.update(_equation(equation))
    return total


def _equation(equation: Any) -> collections.Counter[str]:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        lhs = equation.invars[0].aval.shape
        count = 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(lhs[axis] for axis in contracted)
        return collections.Counter({_kind(equation): count})
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        numbers = params["dimension_numbers"]
        # Each output sums over the kernel's window and the input features of its group.
        per_output = math.prod(kernel[axis] for axis in numbers.rhs_spec[1:])
        # Holes of a dilated input multiply by zero: they are not work.
        count = 2 * math.prod(equation.outvars[0].aval.shape) * per_output // math.prod(params["lhs_dilation"])
        return collections.Counter({_kind(equation): count})
    inner = [_count(sub) for sub in core.jaxprs_in_params(params)]
    if name == "cond":
        return max(inner, key=collections.Counter.total)
    # A scan's length; a sharded function's devices; how often a kernel runs.
    grid = params["grid_mapping"].grid if name == "pallas_call" else ()
    times = params.get("length", 1) * (params["mesh"].size if name == "shard_map" else 1) * math.prod(grid)
    total = sum(inner, collections.Counter())
    return collections.Counter({kind: count * times for kind, count in total.items()})


def _kind(equation: Any) -> str:
    dtypes = [operand.aval.dtype for operand in equation.invars[:2]]
    if all(dtype.name.startswith("float8") for dtype in dtypes):
        return "float8"
    name, precision = jnp.promote_types(*dtypes).name, equation.params["precision"]
    asked = {str(each) for each in (precision if isinstance(precision, tuple) else (precision,))}
    return " ".join([name, *sorted(asked & {"HIGH", "HIGHEST"})[-1:]]).lower() if name == "float32" else name
