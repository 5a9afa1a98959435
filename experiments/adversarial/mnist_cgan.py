"""A GAN that draws the digit it is asked for, on MNIST.

`jaxgen train mnist_cgan`
"""

import dataclasses

from games import Mnist, conditional
from jaxgen.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Config(Mnist):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """See `games.conditional`."""
    measured = "0.983 ± 0.002 of samples are the digit asked for (width 16, 3,000 batches, 3 seeds)"
    return config.experiment(conditional(config), paper="Mirza & Osindero, 2014", measured=measured)
