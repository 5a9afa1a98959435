"""A DCGAN by least squares: the critic's score is drawn to 1 for real images and to 0 for generated ones.

`jaxgen train lsgan`
"""

import dataclasses

from games import MNIST, OTHER, Adam, game
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial

NEEDS = "images, or points"
PAPER = "Mao et al., 2017"
MEASURED = {
    "mnist": "Fréchet distance 0.39 ± 0.01 by a classifier's features (width 16, 3,000 batches, 3 seeds)",
}


@dataclasses.dataclass(frozen=True)
class Config(Adam):
    """Settings."""


PRESETS = {"digits": Config(), "mnist": Config(**MNIST), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """The networks of `dcgan`."""
    return game(config, adversarial.least_squares, "batch")
