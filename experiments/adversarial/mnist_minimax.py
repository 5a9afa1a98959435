"""A DCGAN on MNIST whose generator minimises the discriminator's own objective, as in the first GAN.

`jaxgen train mnist_minimax`
"""

import dataclasses

from games import Mnist, original
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial


@dataclasses.dataclass(frozen=True)
class Config(Mnist):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """See `games.original`."""
    method = original(config, adversarial.minimax)
    measured = "Fréchet distance 44.3 ± 10.9 by a classifier's features (width 16, 3,000 batches, 3 seeds)"
    return config.experiment(method, paper="Goodfellow et al., 2014", measured=measured)
