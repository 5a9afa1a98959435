"""Distances between many points, a block of rows at a time: memory grows with the size of one set, not of both."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array

BLOCK = 256  # rows at a time


def by_blocks(function: Callable[..., Any], *rows: Array) -> Any:
    """`function(*rows)` computed at most `BLOCK` rows at a time.

    A block takes every so-manyth row: rows that are spread over devices stay where they are.

    Args:
      function: of arrays `[block, ...]`, row by row, to a pytree of arrays `[block, ...]`.
      *rows: arrays `[rows, ...]`.
    """
    count = rows[0].shape[0]
    blocks = -(-count // BLOCK)
    size = -(-count // blocks)

    def cut(x: Array) -> Array:
        padded = jnp.pad(x, [(0, size * blocks - count)] + [(0, 0)] * (x.ndim - 1))
        return padded.reshape(size, blocks, *x.shape[1:]).swapaxes(0, 1)

    found = jax.lax.map(lambda block: function(*block), tuple(map(cut, rows)))
    return jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(size * blocks, *x.shape[2:])[:count], found)


def squared_distances(x: Array, y: Array) -> Array:
    """‖x_i - y_j‖² of points `[rows, features]` and `[columns, features]`, as `[rows, columns]`.

    By one product, of points seen from the mean of y: a float32 result is exact to about 1e-7 of how far the two points
    are from there, squared.
    """
    centre = jnp.mean(y, axis=0)
    x, y = x - centre, y - centre
    products = jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)  # TPUs would round to bfloat16
    return jnp.maximum(jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1) - 2 * products, 0)
