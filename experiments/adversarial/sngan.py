"""The hinge game against a critic whose weights are spectrally normalized, with a DCGAN's networks.

`jaxgen train sngan`; of points, with two hidden layers.
"""

import dataclasses

from games import MNIST, OTHER, RING, Adam, game
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial

NEEDS = "images, or points"
PAPER = "Miyato et al., 2018"
MEASURED = {
    "digits": "10 of 10 classes, class entropy 2.295 ± 0.001 nats (3 seeds, 2 CPU cores)",
    "mnist": "Fréchet distance 3.06 ± 0.69 by a classifier's features (width 16, 3,000 batches, 3 seeds)",
    "gaussian_ring": "8 of 8 modes, 0.941 ± 0.011 of high quality (3 seeds, 141-170 s on 2 shared CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Adam):
    """Settings."""

    critic_steps: int = 1
    """Critic updates for one of the generator."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(**MNIST),
    "stacked_mnist": Config(**MNIST),
    "gaussian_ring": Config(**{**RING, "steps": 8000, "critic_learning_rate": 1e-3}, critic_steps=5),
    "other": Config(**OTHER),
}


def experiment(config: Config) -> Experiment:
    """Spectral in the place of batch normalization in the critic."""
    return game(config, adversarial.hinge, "spectral", critic_steps=config.critic_steps)
