"""A DCGAN on Stacked-MNIST: three random digits as red, green and blue.

`jaxgen train stacked_mnist_dcgan`; then `jaxgen eval RUN --features classifier` counts which of the
1,000 modes its samples have.
"""

import dataclasses

from games import StackedMnist, original
from jaxgen.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Config(StackedMnist):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """See `games.original`."""
    measured = "943 of 1,000 modes, KL 0.43 nats (--steps 3500 --width 16, seed 0, 6 minutes on 2 CPU cores)"
    return config.experiment(original(config), paper="Radford et al., 2016", measured=measured)
