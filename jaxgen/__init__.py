"""jaxgen: deep generative models as pure-function losses on one small engine."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxgen.commands.runs import load_run
    from jaxgen.core import Aux, Evaluation, Latents, Method, Net, Phase, View
    from jaxgen.experiment import Experiment
    from jaxgen.fitting import fit
    from jaxgen.training.schedule import Schedule
    from jaxgen.training.stages import Stage
    from jaxgen.training.starts import from_run

__version__ = "0.1.0"
__all__ = [
    "Aux",
    "Evaluation",
    "Experiment",
    "Latents",
    "Method",
    "Net",
    "Phase",
    "Schedule",
    "Stage",
    "View",
    "fit",
    "from_run",
    "load_run",
]

_HOMES = {  # resolved when first asked for, so that `jaxgen --help` needs no JAX
    "jaxgen.commands.runs": ("load_run",),
    "jaxgen.core": ("Aux", "Evaluation", "Latents", "Method", "Net", "Phase", "View"),
    "jaxgen.experiment": ("Experiment",),
    "jaxgen.fitting": ("fit",),
    "jaxgen.training.schedule": ("Schedule",),
    "jaxgen.training.stages": ("Stage",),
    "jaxgen.training.starts": ("from_run",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(home), name)
            return value
    raise AttributeError(f"module 'jaxgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names there are and those that are resolved when first asked for, for completion."""
    return sorted({*globals(), *__all__})
