"""Radial flow on known densities of the plane.

`jaxgen train toy2d_radial`
"""

import dataclasses

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.radial import Radial
from jaxgen.experiment import Experiment
from plane import Toy2D, toy2d


@dataclasses.dataclass(frozen=True)
class Config(Toy2D):
    """Settings."""

    depth: int = 32
    """Points that space contracts to or expands from."""


def experiment(config: Config) -> Experiment:
    """Both directions have closed forms."""
    flow = Chain((ActNorm(), Repeat(Radial(), config.depth)))
    return toy2d(
        config,
        flow,
        paper="Rezende & Mohamed, 2015",
        measured="two moons: -1.270 ± 0.032 nats, best possible -1.007; 2 cores",
    )
