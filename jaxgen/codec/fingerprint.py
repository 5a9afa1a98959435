"""What must be the same for a decoder to compute the encoder's numbers: the weights, and all that shapes a program.

One unit in the last place of one probability, and everything decoded after it is wrong, without an error.
"""

import functools
import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen.errors import UserError


def of_weights(variables: Any) -> str:
    """SHA-256 of a pytree of arrays: names, types, shapes and bytes; hexadecimal."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        array = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def of_program() -> dict[str, str]:
    """What, beside the weights and shapes, floating-point results depend on, in this process."""
    device = jax.devices()[0]
    here = {
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
        "platform": device.platform,
        "device": device.device_kind,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", "").strip(),
        "matmul precision": str(jax.config.jax_default_matmul_precision),  # pyright: ignore[reportAttributeAccessIssue]
        "float64": str(jax.config.jax_enable_x64),  # pyright: ignore[reportAttributeAccessIssue]
        "optimizations": str(not jax.config.read("jax_disable_most_optimizations")),
    }
    return here | ({"processor": _processor()} if device.platform == "cpu" else {})


@functools.cache
def _processor() -> str:
    """Architecture, number of cores and instruction sets, by which XLA and its matrix products choose their loops."""
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        flags = platform.processor()
    return f"{platform.machine()}, {os.cpu_count()} cores, {hashlib.sha256(flags.encode()).hexdigest()[:12]}"


def check(then: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Refuses to decode where numbers may differ.

    Raises:
      UserError: something is not as it was, named with both values.
    """
    for name in sorted(then.keys() | here.keys()):
        if then.get(name) != here.get(name):
            raise UserError(
                f"it was compressed with {name} {then.get(name)!r} and here it is {here.get(name)!r}, so it may not "
                "decode to the same; decode it there, or try with --try-anyway, which the checksums will judge."
            )
