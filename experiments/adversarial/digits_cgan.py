"""A GAN that draws the digit it is asked for, on scikit-learn's digits.

`jaxgen train digits_cgan`
"""

import dataclasses

from games import Digits, conditional
from jaxgen.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """See `games.conditional`."""
    measured = "0.995 ± 0.002 of samples are the digit asked for (3 seeds, 96-111 s on 2 CPU cores)"
    return config.experiment(conditional(config), paper="Mirza & Osindero, 2014", measured=measured)
