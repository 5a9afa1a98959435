"""What a function is traced for: a platform, and maybe a mesh, of devices that may be another machine's.

Loops, convolutions and attention choose their algorithm by it. JAX keeps what it has traced for one target apart from
what it has traced for another, as the context is part of its caches' keys.
"""

import contextlib

import jax
from jax.sharding import Mesh

_target = jax.make_user_context(default_value=None)


def platform() -> str:
    """ "cpu", "gpu" or "tpu": as `tracing_for` says, otherwise this process's own."""
    return _target.value[0] if _target.value else jax.default_backend()


def mesh() -> Mesh | None:
    """The devices a training step is laid out over, as `tracing_for` says; None where it does not."""
    return _target.value[1] if _target.value else None


def tracing_for(platform: str, mesh: Mesh | None = None) -> contextlib.AbstractContextManager[None]:
    """What is traced inside is for devices of this platform, arranged so."""
    return _target((platform, mesh))
