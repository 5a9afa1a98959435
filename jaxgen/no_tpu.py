"""A machine without a TPU, where libtpu is installed for its compiler: it complains in many lines unless it is told."""

import importlib.util
import os
from pathlib import Path

# What libtpu asks its machine: what TPU it has, and which others there are. A topology that is asked for overrules
# these. Without a TPU, processes have nothing to keep from one another.
_ANSWERS = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-16",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


def answer() -> None:
    """Answers libtpu's questions through the environment, but for those that are answered there."""
    for variable, value in _ANSWERS.items():
        os.environ.setdefault(variable, value)


def answer_without_chips(devices: Path = Path("/dev")) -> None:
    """The same where libtpu is installed and no chip is among the devices; before JAX is imported."""
    chips = [*devices.glob("accel*"), *devices.glob("vfio/*")]
    if not chips and importlib.util.find_spec("libtpu"):
        answer()
