"""TarFlow: autoregressive flows on an image's patches, each a causal transformer, in alternating directions.

`jaxgen train tarflow`
"""

import dataclasses

from jaxgen.experiment import Experiment
from jaxgen.models.flow.tarflow import tarflow
from patches import Patches, fitted

NEEDS = "images"
PAPER = "Zhai et al., 2024"


@dataclasses.dataclass(frozen=True)
class Config(Patches):
    """Settings."""

    flows: int = 4
    """Autoregressive flows (the paper's T)."""


PRESETS = {"digits": Config(), "mnist": Config(patch=4)}


def experiment(config: Config) -> Experiment:
    """Every other flow goes through the patches from the last to the first."""
    data = config.load()
    flow = tarflow(
        data.spec["image"].shape,
        patch=config.patch,
        flows=config.flows,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        dtype=config.dtype,
    )
    return fitted(config, data, flow)
