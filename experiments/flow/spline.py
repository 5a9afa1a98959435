"""Rational-quadratic spline coupling flow on points: known densities of the plane, or a table.

`jaxgen train spline`
"""

import dataclasses

from jaxgen.bijectors.spline import RationalQuadratic
from jaxgen.experiment import Experiment
from jaxgen.models.flow.realnvp import realnvp
from points import Conditioned, fitted

NEEDS = "points"
PAPER = "Durkan et al., 2019"
MEASURED = {"two_moons": "-1.029 ± 0.002 nats, best possible -1.007; 2 cores"}


@dataclasses.dataclass(frozen=True)
class Config(Conditioned):
    """Settings."""

    depth: int = 2
    """Pairs of couplings."""
    bins: int = 8
    """Pieces of a spline."""


PRESETS = {"two_moons": Config()}


def experiment(config: Config) -> Experiment:
    """RealNVP whose couplings bend one coordinate in place of scaling it."""
    flow = realnvp(config.depth, config.widths, RationalQuadratic(config.bins), config.dtype)
    return fitted(config, flow)
