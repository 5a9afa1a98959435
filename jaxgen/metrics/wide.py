"""Figures whose intermediate numbers 32 bits do not hold."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

F = TypeVar("F", bound=Callable[..., Any])


def in_float64(function: F) -> F:
    """The function with 64-bit numbers inside, also where the rest of the program has none.

    Differences of nearly equal squares and counts of pairs pass what 32 bits hold at sizes that occur. Floating arrays
    among the arguments are widened, and results are narrowed to what the caller can have.
    """

    @functools.wraps(function)
    def wide(*args: Any, **kwargs: Any) -> Any:
        with jax.enable_x64(True):
            found = function(*jax.tree.map(_widen, args), **jax.tree.map(_widen, kwargs))
        return jax.tree.map(lambda x: x.astype(jax.dtypes.canonicalize_dtype(x.dtype)), found)

    return wide  # pyright: ignore[reportReturnType]


def _widen(x: Any) -> Any:
    is_array = hasattr(x, "dtype")
    return jnp.asarray(x, jnp.float64) if is_array and jnp.issubdtype(x.dtype, jnp.floating) else x
