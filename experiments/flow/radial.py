"""Radial flow on points: known densities of the plane, or a table.

`jaxgen train radial`
"""

import dataclasses

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.radial import Radial
from jaxgen.experiment import Experiment
from points import Points, fitted

NEEDS = "points"
PAPER = "Rezende & Mohamed, 2015"
MEASURED = {"two_moons": "-1.270 ± 0.032 nats, best possible -1.007; 2 cores"}


@dataclasses.dataclass(frozen=True)
class Config(Points):
    """Settings."""

    depth: int = 32
    """Points that space contracts to or expands from."""


PRESETS = {"two_moons": Config()}


def experiment(config: Config) -> Experiment:
    """Both directions have closed forms."""
    flow = Chain((ActNorm(), Repeat(Radial(), config.depth)))
    return fitted(config, flow)
