"""NICE on known densities of the plane.

`jaxgen train toy2d_nice`
"""

import dataclasses

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain
from jaxgen.experiment import Experiment
from jaxgen.models.flow.nice import nice
from plane import Conditioned, toy2d


@dataclasses.dataclass(frozen=True)
class Config(Conditioned):
    """Settings."""

    depth: int = 4
    """Pairs of couplings."""


def experiment(config: Config) -> Experiment:
    """Additive couplings keep volume, so one scale serves the whole plane."""
    flow = Chain((ActNorm(), nice(config.depth, config.widths, config.dtype)))
    return toy2d(
        config,
        flow,
        paper="Dinh et al., 2014",
        measured="two moons: -1.087 ± 0.006 nats, best possible -1.007; 2 cores",
    )
