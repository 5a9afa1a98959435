"""Jet: couplings of an image's patches, each conditioned by a vision transformer.

`jaxgen train jet`
"""

import dataclasses

from jaxgen.bijectors.compose import Memory
from jaxgen.experiment import Experiment
from jaxgen.models.flow.jet import jet
from patches import Patches, fitted

NEEDS = "images"
PAPER = "Kolesnikov et al., 2024"


@dataclasses.dataclass(frozen=True)
class Config(Patches):
    """Settings."""

    layers: int = 1
    """Blocks of each transformer."""
    couplings: int = 8
    """How many."""
    memory: Memory = "plain"
    """What the gradient keeps of the flow: all activations, those between couplings, or none, rebuilding them."""


PRESETS = {"digits": Config(), "mnist": Config(patch=4)}


def experiment(config: Config) -> Experiment:
    """Half of every patch moves by what a transformer makes of the other halves."""
    flow = jet(
        patch=config.patch,
        couplings=config.couplings,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        dtype=config.dtype,
        memory=config.memory,
    )
    return fitted(config, config.load(), flow)
