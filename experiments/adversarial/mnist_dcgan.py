"""A DCGAN on MNIST, padded to 32x32 pixels.

`jaxgen train mnist_dcgan`
"""

import dataclasses

from games import Mnist, original
from jaxgen.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Config(Mnist):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """See `games.original`."""
    measured = (
        "Fréchet distance 0.10 by a classifier's features (seed 0); at width 16, 3,000 steps 0.43 ± 0.06 (3 seeds)"
    )
    return config.experiment(original(config), paper="Radford et al., 2016", measured=measured)
