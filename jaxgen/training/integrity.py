"""Whether a state read from disk is the one that was written, and how several processes come to agree on it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

_REASON_BYTES = 300


def checksums(state: Any) -> dict[str, int]:
    """A 32-bit number of each leaf's bits by the leaf's name, computed on the devices; the same on any sharding."""
    return {name: int(value) for name, value in named(jax.device_get(_checksums(state))).items()}


def named(tree: Any) -> dict[str, Any]:
    """The leaves by name; fields of dataclasses and tuples read as the dictionary keys that orbax makes of them."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def agreed(reason: str | None) -> str | None:
    """The first reason that any process has, on every process; None when none has one.

    What one process finds, all must know before they go on: one that stops leaves the others waiting for it.
    """
    if jax.process_count() == 1:
        return reason
    mine = (reason or "").encode()[:_REASON_BYTES].ljust(_REASON_BYTES, b"\0")
    rows = np.asarray(multihost_utils.process_allgather(np.frombuffer(mine, np.uint8)))
    return next(filter(None, (row.tobytes().rstrip(b"\0").decode(errors="ignore") for row in rows)), None)


@jax.jit
def _checksums(state: Any) -> Any:
    return jax.tree.map(_checksum, state)


def _checksum(leaf: jax.Array) -> jax.Array:
    """The sum of the elements' bits, each times an odd number of its own: a single flipped bit always shows."""
    bits = leaf.astype(jnp.uint8) if leaf.dtype == bool else leaf
    bits = jax.lax.bitcast_convert_type(bits, jnp.dtype(f"uint{8 * bits.dtype.itemsize}")).astype(jnp.uint32)
    position = jnp.zeros((), jnp.uint32)  # in row-major order; flattening would gather what is split over devices
    for axis, size in enumerate(bits.shape):
        position = position * size + jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
    return jnp.sum(bits * (2 * position + 1), dtype=jnp.uint32)
