"""A Wasserstein GAN with clipped weights, with a DCGAN's networks.

`jaxgen train wgan_clip`; of points, with two hidden layers.
"""

import dataclasses

import optax

from games import MNIST, OTHER, Game, field, load, networks, played
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.optimizers import clip_weights

NEEDS = "images, or points"
PAPER = "Arjovsky et al., 2017"
MEASURED = {
    "digits": "10 of 10 classes, class entropy 2.262 ± 0.026 nats (3 seeds, 2 CPU cores)",
    "mnist": "Fréchet distance 16.2 ± 7.4 by a classifier's features (width 16, 3,000 batches, 3 seeds)",
}


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    steps: int = 1500
    """Training steps, each an update of the generator."""
    learning_rate: float = 5e-4
    """RMSProp's step size, for both networks; on MNIST twenty times the paper's, for runs of minutes."""
    limit: float = 0.01
    """The critic's weights stay within it."""


PRESETS = {"digits": Config(), "mnist": Config(**{**MNIST, "steps": 2000}), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """Five critic updates for one of the generator."""
    data = load(config)
    generator, critic = networks(config, data, None)
    optimizer = optax.rmsprop(config.learning_rate)
    method = gan(
        Net(generator, optimizer, ema_decay=0.99),
        Net(critic, optax.chain(optimizer, clip_weights(config.limit))),
        adversarial.wasserstein,
        prior=normal(config.latent_size),
        critic_steps=5,
        field=field(data),
    )
    return played(config, data, method)
