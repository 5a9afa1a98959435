"""Every single bit of a state shows in its checksums, whatever its types and however it is split over devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxgen.training.integrity import _checksum, checksums
from jaxgen.training.sharding import make_mesh

SMALL = ["int4", "uint4", "float4_e2m1fn"]
TYPES = [
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
    *SMALL,
]
IMPLEMENTATIONS = ["threefry2x32", "rbg"]
NUMBERS = 6


def arrays_of(name, raw):
    """The arrays `[flips, ...]` that rows of bytes `[flips, bytes]` are."""
    if name in IMPLEMENTATIONS:
        words = jax.lax.bitcast_convert_type(raw.reshape(len(raw), NUMBERS, -1, 4), jnp.uint32)
        return jax.random.wrap_key_data(words, impl=name)
    if name.startswith("complex"):
        parts = arrays_of({"complex64": "float32", "complex128": "float64"}[name], raw)
        return jax.lax.complex(parts[:, ::2], parts[:, 1::2])
    if name == "bool":
        return raw % 2 > 0
    size = jnp.dtype(name).itemsize
    return jax.lax.bitcast_convert_type(raw.reshape(len(raw), 2, -1, *[size] * (size > 1)), name)


def size_of(name):
    return {"threefry2x32": 8, "rbg": 16}.get(name) or jnp.dtype(name).itemsize


@pytest.mark.parametrize("name", [*TYPES, *IMPLEMENTATIONS])
def test_every_flipped_bit_of_every_type_shows(x64, name):
    original = np.random.default_rng(0).integers(0, 256, NUMBERS * size_of(name), np.uint8)
    bits = 1 if name == "bool" else 8
    flips = [(byte, bit) for byte in range(len(original)) for bit in range(bits)]
    flipped = np.tile(original, (len(flips), 1))
    for row, (byte, bit) in zip(flipped, flips, strict=True):
        row[byte] ^= 1 << bit
    sums = np.asarray(jax.jit(jax.vmap(_checksum))(arrays_of(name, jnp.asarray(flipped))))
    (whole,) = checksums({"leaf": arrays_of(name, jnp.asarray(original[None]))[0]}).values()
    assert [flip for flip, value in zip(flips, sums, strict=True) if value == whole] == []


def test_swapped_numbers_show():
    assert checksums({"a": jnp.array([1.0, 2.0])}) != checksums({"a": jnp.array([2.0, 1.0])})


def test_leaves_without_elements_have_checksums_too():
    empty = {"a": jnp.zeros((3, 0)), "k": jax.random.split(jax.random.key(0), 0)}
    assert checksums(empty) == {"a": 0, "k": 0}


@pytest.mark.parametrize("name", ["bool", "float32", "float64", "complex64", "bfloat16", "threefry2x32"])
def test_checksums_are_the_same_on_any_sharding(x64, name):
    raw = np.random.default_rng(1).integers(0, 256, (8, NUMBERS * size_of(name)), np.uint8)
    leaf = arrays_of(name, jnp.asarray(raw))
    split = NamedSharding(make_mesh(), PartitionSpec("data"))
    assert checksums({"a": jax.device_put(leaf, split)}) == checksums({"a": leaf})
