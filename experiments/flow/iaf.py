"""Inverse autoregressive flow on points: known densities of the plane, or a table.

`jaxgen train iaf`
"""

import dataclasses

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.compose import Chain, Invert, Repeat
from jaxgen.bijectors.reverse import Reverse
from jaxgen.experiment import Experiment
from jaxgen.layers.made import MADE
from points import Conditioned, fitted

NEEDS = "points"
PAPER = "Kingma et al., 2016"
MEASURED = {"two_moons": "-1.051 ± 0.033 nats, best possible -1.007; 2 cores"}


@dataclasses.dataclass(frozen=True)
class Config(Conditioned):
    """Settings."""

    depth: int = 8
    """Autoregressive layers."""


PRESETS = {"two_moons": Config()}


def experiment(config: Config) -> Experiment:
    """It samples in one pass and scores data, as training does, in one pass for each coordinate."""
    layer = Invert(Autoregressive(MADE(config.widths, config.dtype)))
    flow = Repeat(Chain((ActNorm(), layer, Reverse())), config.depth)
    return fitted(config, flow)
