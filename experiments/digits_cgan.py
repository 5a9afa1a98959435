"""A GAN that draws the digit it is asked for, on scikit-learn's digits.

`jaxgen train experiments/digits_cgan.py`
"""

import dataclasses

from jaxgen.dcgan_games import Digits, conditional
from jaxgen.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """See `jaxgen.dcgan_games.conditional`."""
    return config.experiment(conditional(config), paper="Mirza & Osindero, 2014", measured="not yet run")
