"""A DCGAN on MNIST whose generator minimises the discriminator's own objective, as in the first GAN.

`jaxgen train experiments/mnist_minimax.py`
"""

import dataclasses

from jaxgen.dcgan_games import Mnist, original
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial


@dataclasses.dataclass(frozen=True)
class Config(Mnist):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """See `jaxgen.dcgan_games.original`."""
    method = original(config, adversarial.minimax)
    return config.experiment(method, paper="Goodfellow et al., 2014", measured="not yet run")
