"""Floating-point operations of a traced function: matrix products and convolutions, loops counted in full.

XLA's own `cost_analysis` counts a loop's body once, whatever its length.
"""

import math
from typing import Any

from jax.extend import core


def count_flops(jaxpr: Any) -> int:
    """Multiplications and additions in the matrix products and convolutions of a jaxpr, all devices together.

    A `scan` counts its body `length` times, a `cond` its dearest branch, a `while`, whose length is unknown, once.
    """
    return sum(_equation(equation) for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns)


def _equation(equation: Any) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        lhs = equation.invars[0].aval.shape
        return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(lhs[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        numbers = params["dimension_numbers"]
        # Each output sums over the kernel's window and the input features of its group.
        per_output = math.prod(kernel[axis] for axis in numbers.rhs_spec[1:])
        # Holes of a dilated input multiply by zero: they are not work.
        return 2 * math.prod(equation.outvars[0].aval.shape) * per_output // math.prod(params["lhs_dilation"])
    inner = [count_flops(sub) for sub in core.jaxprs_in_params(params)]
    if name == "cond":
        return max(inner)
    return sum(inner) * params.get("length", 1)
