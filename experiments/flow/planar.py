"""Planar flow on points: known densities of the plane, or a table.

`jaxgen train planar`
"""

import dataclasses

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain, Invert, Repeat
from jaxgen.bijectors.planar import Planar
from jaxgen.experiment import Experiment
from points import Points, fitted

NEEDS = "points"
PAPER = "Rezende & Mohamed, 2015"
MEASURED = {"two_moons": "-1.045 ± 0.005 nats, best possible -1.007; 2 cores"}


@dataclasses.dataclass(frozen=True)
class Config(Points):
    """Settings."""

    depth: int = 32
    """Bends."""


PRESETS = {"two_moons": Config()}


def experiment(config: Config) -> Experiment:
    """Each bend is taken from data to base, where it has a closed form; samples need the solver."""
    flow = Chain((ActNorm(), Repeat(Invert(Planar()), config.depth)))
    return fitted(config, flow)
