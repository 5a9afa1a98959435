"""The platform a function is traced for: that of the devices it will run on, which may be another machine's.

Loops and convolutions choose their algorithm by it. JAX keeps what it has traced for one platform apart from what it
has traced for another, as the context is part of its caches' keys.
"""

import contextlib

import jax

_platform = jax.make_user_context(default_value=None)


def platform() -> str:
    """ "cpu", "gpu" or "tpu": as `tracing_for` says, otherwise this process's own."""
    return _platform.value or jax.default_backend()


def tracing_for(platform: str) -> contextlib.AbstractContextManager[None]:
    """What is traced inside is for devices of this platform."""
    return _platform(platform)
