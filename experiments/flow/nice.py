"""NICE on points: known densities of the plane, or a table.

`jaxgen train nice`
"""

import dataclasses

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain
from jaxgen.experiment import Experiment
from jaxgen.models.flow.nice import nice
from points import Conditioned, fitted

NEEDS = "points"
PAPER = "Dinh et al., 2014"
MEASURED = {"two_moons": "-1.087 ± 0.006 nats, best possible -1.007; 2 cores"}


@dataclasses.dataclass(frozen=True)
class Config(Conditioned):
    """Settings."""

    depth: int = 4
    """Pairs of couplings."""


PRESETS = {"two_moons": Config()}


def experiment(config: Config) -> Experiment:
    """Additive couplings keep volume, so one scale serves the whole plane."""
    flow = Chain((ActNorm(), nice(config.depth, config.widths, config.dtype)))
    return fitted(config, flow)
