"""A Wasserstein GAN with a gradient penalty, with a DCGAN's networks.

`jaxgen train wgan_gp`; of points, with two hidden layers.
"""

import dataclasses

from games import MNIST, OTHER, RING, Adam, game
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers

NEEDS = "images, or points"
PAPER = "Gulrajani et al., 2017"
MEASURED = {
    "digits": "10 of 10 classes, class entropy 2.292 ± 0.004 nats (3 seeds, 2 CPU cores)",
    "mnist": "Fréchet distance 1.13 ± 0.40 by a classifier's features (width 16, 3,000 batches, 3 seeds)",
    "gaussian_ring": "8 of 8 modes, 0.940 ± 0.013 of high quality (3 seeds, 235-290 s on 2 shared CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Adam):
    """Settings."""

    steps: int = 1500
    """Training steps, each an update of the generator."""
    ema_decay: float = 0.99
    """Of the generator's average."""
    penalty: float = 10.0
    """Weight of the gradient penalty."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(**{**MNIST, "steps": 2000}),
    "gaussian_ring": Config(**{**RING, "steps": 8000, "critic_learning_rate": 1e-3}, penalty=0.1),
    "other": Config(**OTHER),
}


def experiment(config: Config) -> Experiment:
    """Five critic updates for one of the generator, by Adam without momentum, and a critic without normalization."""
    penalty = regularizers.gradient_penalty(config.penalty)
    return game(config, adversarial.wasserstein, critic_steps=5, critic_regularizers=[penalty])
