"""Weights in parts: what is computed of weights alone, each device computes of its part.

Data parallelism repeats it on every device. The devices that share an update, along a mesh's `fsdp` and `zero1`, can
share this, too (Xu et al. 2020, "Automatic Cross-Replica Sharding of Weight Update"): spectral normalization, penalties
on weights, their resampling and rounding. Where a step is not traced for a mesh with these axes, nothing happens here.
"""

import functools
import math
from collections.abc import Mapping

import jax
from jax.sharding import NamedSharding, PartitionSpec
from jax.typing import DTypeLike

from jaxgen import target

AXES = ("fsdp", "zero1")
_SMALLEST = 2**20  # elements: a smaller weight is sooner read whole than sums over its parts are sent around


def split(weight: jax.Array, axis: int | None = None) -> jax.Array:
    """The same weight, of which each device has its part: along an axis, by default the one that `rule` picks."""
    sharding = _sharding(weight.shape, axis)
    return weight if sharding is None else jax.lax.with_sharding_constraint(weight, sharding)


def whole(weight: jax.Array, dtype: DTypeLike) -> jax.Array:
    """The weight on every device, rounded in parts to a type; its gradient comes back in parts, in the weight's own."""
    sharding = _sharding(weight.shape)
    return weight.astype(dtype) if sharding is None else _whole((dtype, weight.dtype, sharding), weight)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _whole(how: tuple[DTypeLike, DTypeLike, NamedSharding], weight: jax.Array) -> jax.Array:
    everywhere = NamedSharding(how[2].mesh, PartitionSpec())
    return jax.lax.with_sharding_constraint(jax.lax.with_sharding_constraint(weight.astype(how[0]), how[2]), everywhere)


_whole.defvjp(
    lambda how, weight: (_whole(how, weight), None),
    lambda how, _, gradient: (jax.lax.with_sharding_constraint(gradient.astype(how[1]), how[2]),),
)


def _sharding(shape: tuple[int, ...], axis: int | None = None) -> NamedSharding | None:
    """None where all of the weight stays on every device."""
    mesh = target.mesh()
    if mesh is None or mesh.shape["tensor"] > 1 or math.prod(shape) < _SMALLEST:
        return None
    sizes = {name: mesh.shape[name] for name in AXES}
    count = math.prod(sizes.values())
    if axis is None:
        spec = rule(shape, sizes)
    else:
        spec = PartitionSpec(*[None] * (axis % len(shape)), AXES) if shape[axis] % count == 0 else PartitionSpec()
    return NamedSharding(mesh, spec) if count > 1 and any(spec) else None


def rule(shape: tuple[int, ...], sizes: Mapping[str, int]) -> PartitionSpec:
    """How an array is split over axes of a mesh of these sizes: those that divide evenly; the first comes first.

    Along its largest axis, of equals the last.
    """
    spec: list[tuple[str, ...]] = [()] * len(shape)
    for name, size in sizes.items():
        left = [extent // math.prod(sizes[n] for n in spec[axis]) for axis, extent in enumerate(shape)]
        taken = [axis for axis, names in enumerate(spec) if names]
        divisible = [axis for axis in taken or range(len(shape)) if left[axis] % size == 0]
        if size > 1 and divisible:
            largest = max(divisible, key=lambda axis: (shape[axis], axis))
            spec[largest] = (*spec[largest], name)
    used = max((axis + 1 for axis, names in enumerate(spec) if names), default=0)
    return PartitionSpec(*[names[0] if len(names) == 1 else names or None for names in spec[:used]])
