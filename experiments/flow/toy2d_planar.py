"""Planar flow on known densities of the plane.

`jaxgen train toy2d_planar`
"""

import dataclasses

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain, Invert, Repeat
from jaxgen.bijectors.planar import Planar
from jaxgen.experiment import Experiment
from plane import Toy2D, toy2d


@dataclasses.dataclass(frozen=True)
class Config(Toy2D):
    """Settings."""

    depth: int = 32
    """Bends."""


def experiment(config: Config) -> Experiment:
    """Each bend is taken from data to base, where it has a closed form; samples need the solver."""
    flow = Chain((ActNorm(), Repeat(Invert(Planar()), config.depth)))
    return toy2d(
        config,
        flow,
        paper="Rezende & Mohamed, 2015",
        measured="two moons: -1.045 ± 0.005 nats, best possible -1.007; 2 cores",
    )
