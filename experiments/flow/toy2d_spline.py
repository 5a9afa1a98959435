"""Rational-quadratic spline coupling flow on known densities of the plane.

`jaxgen train toy2d_spline`
"""

import dataclasses

from jaxgen.bijectors.spline import RationalQuadratic
from jaxgen.experiment import Experiment
from jaxgen.models.flow.realnvp import realnvp
from plane import Conditioned, toy2d


@dataclasses.dataclass(frozen=True)
class Config(Conditioned):
    """Settings."""

    depth: int = 2
    """Pairs of couplings."""
    bins: int = 8
    """Pieces of a spline."""


def experiment(config: Config) -> Experiment:
    """RealNVP whose couplings bend one coordinate in place of scaling it."""
    flow = realnvp(config.depth, config.widths, RationalQuadratic(config.bins), config.dtype)
    return toy2d(
        config,
        flow,
        paper="Durkan et al., 2019",
        measured="two moons: -1.029 ± 0.002 nats, best possible -1.007; 2 cores",
    )
