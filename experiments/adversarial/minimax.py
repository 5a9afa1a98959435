"""The first GAN's game: the generator minimises the discriminator's own objective.

`jaxgen train minimax`, with a DCGAN's networks; of points, with two hidden layers.
"""

import dataclasses

from games import MNIST, OTHER, RING, Adam, game
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial

NEEDS = "images, or points"
PAPER = "Goodfellow et al., 2014"
MEASURED = {
    "mnist": "Fréchet distance 44.3 ± 10.9 by a classifier's features (width 16, 3,000 batches, 3 seeds)",
    "gaussian_ring": "2 to 3 of 8 modes, 0.05 ± 0.06 of high quality (3 seeds)",
}


@dataclasses.dataclass(frozen=True)
class Config(Adam):
    """Settings."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(**MNIST),
    "gaussian_ring": Config(**RING),
    "other": Config(**OTHER),
}


def experiment(config: Config) -> Experiment:
    """Nothing keeps it from collapse."""
    return game(config, adversarial.minimax, "batch")
