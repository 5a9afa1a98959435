"""Distances between many points, a block of rows at a time: memory grows with the size of one set, not of both."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array

BLOCK = 128  # rows at a time
_RESOLUTION = 3e-14  # of a squared distance, relative to how far its points are from the mean, squared


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

    By one product, of points seen from the mean of y: exact to about 1e-14 of how far the two are from there, squared,
    in float64, which `in_float64` gives; in float32, to 1e-7, the order of near neighbours is left to chance.
    """
    products, norms = _products(x, y)
    return jnp.maximum(norms - 2 * products, 0)


def within(x: Array, y: Array, squared_radii: Array) -> Array:
    """Whether each x_i is in the ball around each y_j, bool `[rows, columns]`; its surface belongs to it.

    In float64, what is at the radius is told from what is beyond by 3e-14 of how far the two points are from the mean
    of y, squared: as much as the sums may be off that find the same distance twice.
    """
    products, norms = _products(x, y)
    return norms - 2 * products <= squared_radii + _RESOLUTION * norms


def nearest(squares: Array) -> tuple[Array, Array]:
    """The least of each row of `[rows, columns]` and the column of the first that is as small, `[rows]` each.

    Not `jnp.argmin`: where the surrounding program has no 64-bit numbers, JAX cannot lower that of float64.
    """
    least = jnp.min(squares, axis=1)
    columns = jnp.arange(squares.shape[1], dtype=jnp.int32)
    return least, jnp.min(jnp.where(squares == least[:, None], columns, squares.shape[1] - 1), axis=1)


def _products(x: Array, y: Array) -> tuple[Array, Array]:
    """x_i·y_j and ‖x_i‖² + ‖y_j‖², seen from the mean of y."""
    centre = jnp.mean(y, axis=0)
    x, y = x - centre, y - centre
    products = jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)  # TPUs would round to bfloat16
    return products, jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1)
