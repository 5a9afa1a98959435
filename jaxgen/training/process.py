"""Settings of a training process, made before JAX does anything."""

import ctypes
import math
import os
import sys
from pathlib import Path

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache
from jax.sharding import Mesh

from jaxgen.core import TrainState
from jaxgen.errors import UserError

# glibc's mallopt parameters, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def configure() -> None:
    """Sets the compilation cache and the host's memory allocator for training.

    Compiled programs are kept in the user's cache folder, unless JAX_COMPILATION_CACHE_DIR names another.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", platformdirs.user_cache_dir("jaxgen"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    _keep_freed_memory()


def share_compiled(folder: Path) -> None:
    """Keeps compiled programs where all processes look for them, unless JAX_COMPILATION_CACHE_DIR names another place.

    Only process 0 writes them: in folders of their own the others would compile again at every start.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        compilation_cache.reset_cache()  # it has opened the user's


def check_devices() -> None:
    """Starts JAX's devices.

    Raises:
      UserError: JAX_PLATFORMS names a kind of which there are none here.
    """
    try:
        jax.devices()
    except (AssertionError, RuntimeError) as error:  # the first for "cuda" without CUDA
        if not jax.config.jax_platforms:
            raise
        reason = f" ({str(error).splitlines()[0].removesuffix('.')})" if str(error) else ""
        raise UserError(
            f"JAX_PLATFORMS is {jax.config.jax_platforms}, and JAX finds no such devices here{reason}; unset it, or "
            'install JAX for them (`pip install -e ".[cuda]"` or `".[tpu]"`).'
        ) from error


def check_room(state: TrainState, mesh: Mesh) -> None:
    """Refuses a state that no device can hold, before anything is made of it.

    Args:
      state: shapes, types and shardings.
      mesh: the devices.

    Raises:
      UserError: it is larger than a device's memory, or of the CPU than its share of this machine's.
    """
    needed = sum(math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize for x in jax.tree.leaves(state))
    here = mesh.local_devices
    limit = (here[0].memory_stats() or {}).get("bytes_limit", 0)
    room = limit or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // len(here)
    if needed > room:
        raise UserError(
            f"the networks and their optimizers take {needed / 2**30:,.0f} GiB on each device, which has "
            f"{room / 2**30:,.0f}; make them smaller, or split them over more devices with --mesh.fsdp."
        )


def _keep_freed_memory() -> None:
    """Lets the C library reuse large blocks instead of returning them to the system.

    XLA:CPU allocates a step's temporaries anew at every step. Fresh from the system, each of their pages faults when
    first used: 24,000 faults and an eighth of the time of a DCGAN step.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # C libraries other than glibc lack it
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_ARENA_MAX, 1)
