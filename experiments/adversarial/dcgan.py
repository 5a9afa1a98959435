"""A DCGAN: the non-saturating game of a generator and a discriminator that are convolutional and normalize batches.

`jaxgen train dcgan` draws digits. With data that are points, both players have two hidden layers instead.
"""

import dataclasses

from games import MNIST, OTHER, RING, Adam, game
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from turned import turned_drawing

NEEDS = "images, or points"
PAPER = "Radford et al., 2016; Goodfellow et al., 2014"
MEASURED = {
    "digits": "10 of 10 classes, class entropy 2.296 ± 0.001 nats (3 seeds, 2 CPU cores)",
    "mnist": "Fréchet distance 0.10 by a classifier's features (seed 0); "
    "at width 16, 3,000 steps 0.43 ± 0.06 (3 seeds)",
    "stacked_mnist": "943 of 1,000 modes, KL 0.43 nats (--steps 3500 --width 16, seed 0, 6 minutes on 2 CPU cores)",
    "cifar10": "Fréchet distance 0.18 by a classifier's features (width 32, 10,000 steps at 5e-4, seed 0)",
    "gaussian_ring": "0 to 1 of 8 modes, 0.24 ± 0.20 of high quality (3 seeds)",
}


@dataclasses.dataclass(frozen=True)
class Config(Adam):
    """Settings."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(**MNIST),
    "stacked_mnist": Config(**MNIST),
    "cifar10": Config(steps=50_000, learning_rate=2e-4, latent_size=100, width=64),
    "gaussian_ring": Config(**RING),
    "other": Config(**OTHER),
}


def experiment(config: Config) -> Experiment:
    """The generator hears of its mistakes while it makes them; on the ring that does not keep it on all modes."""
    made = game(config, adversarial.non_saturating, "batch")
    grey = "image" in made.data.spec and made.data.spec["image"].shape[-1] == 1
    return dataclasses.replace(made, drawings={"turned": turned_drawing(made.method)}) if grey else made
