"""`jaxgen --version --json`: what a bug report needs to say of the machine and of what is installed."""

import json
import os
import platform
import re
from importlib import metadata

import jax

import jaxgen
from jaxgen.errors import UserError
from jaxgen.training.process import check_devices

_FLAGS = re.compile(r"JAX_|XLA_|LIBTPU_|TPU_|CUDA_VISIBLE_DEVICES|OMP_NUM_THREADS|TFDS_DATA_DIR")


def main() -> None:
    """Prints one JSON object."""
    print(json.dumps(versions(), indent=2))


def versions() -> dict[str, object]:
    """Versions of jaxgen, Python and the packages it names, the devices, and the variables that JAX and XLA read."""
    try:
        check_devices()
        devices = [str(device.device_kind) for device in jax.devices()]
    except UserError as error:  # the very thing that a report may be about
        devices = [str(error)]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "jaxgen": jaxgen.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "packages": _packages(),
        "devices": devices,
        "processes": jax.process_count(),
        "environment": {name: os.environ[name] for name in sorted(os.environ) if _FLAGS.match(name)},
    }


def _packages() -> dict[str, str]:
    """Those that jaxgen needs or can use, and JAX's own parts, as far as they are installed."""
    named = {_normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in metadata.requires("jaxgen") or ()}
    found = {_normal(package.name): package.version for package in metadata.distributions()}
    parts = {name for name in found if re.match(r"jaxlib$|jax-cuda|libtpu|nvidia-cudnn|tensorflow$|protobuf$", name)}
    return {name: found[name] for name in sorted(named - {"jaxgen"} | parts) if name in found}


def _normal(name: str) -> str:
    """A package's name as all its spellings have it."""
    return re.sub(r"[-_.]+", "-", name).lower()
