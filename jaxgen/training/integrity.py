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
    """The sum of the leaf's words of bits, each times an odd number of its own: a single flipped bit always shows."""
    words = _words(leaf)
    position = jnp.zeros((), jnp.uint32)  # in row-major order; flattening would gather what is split over devices
    for axis, size in enumerate(words.shape):
        position = position * size + jax.lax.broadcasted_iota(jnp.uint32, words.shape, axis)
    return jnp.sum(words * (2 * position + 1), dtype=jnp.uint32)


def _words(leaf: jax.Array) -> jax.Array:
    """All bits of an array of any type as uint32, the two words of a 64-bit number side by side on a last axis."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(leaf)
    if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
        return jnp.stack([_words(leaf.real), _words(leaf.imag)], axis=-1)
    if leaf.dtype == bool or jax.dtypes.itemsize_bits(leaf.dtype) < 8:  # nothing has so few bits that could be cast
        leaf = leaf.astype(jnp.float32 if jnp.issubdtype(leaf.dtype, jnp.floating) else jnp.int8)
    size = min(leaf.dtype.itemsize, 4)
    return jax.lax.bitcast_convert_type(leaf, jnp.dtype(f"uint{8 * size}")).astype(jnp.uint32)
