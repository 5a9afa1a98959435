"""Where arrays live: a mesh with a `data` axis, batches split over it, state replicated."""

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def make_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh of all devices (or those given) along one axis, `data`; one device is a mesh of one.

    The axis type is Auto: under Explicit, JAX's default here, `nn.Embed` and other Linen layers fail.
    """
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh, leading_axes: int = 0) -> NamedSharding:
    """`[..., batch, ...]` split along `data` at the batch axis, which follows `leading_axes` unsplit ones."""
    return NamedSharding(mesh, PartitionSpec(*[None] * leading_axes, "data"))
