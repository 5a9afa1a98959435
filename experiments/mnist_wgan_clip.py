"""A Wasserstein GAN with clipped weights on MNIST.

`jaxgen train experiments/mnist_wgan_clip.py`
"""

import dataclasses

import optax

from jaxgen.core import Net
from jaxgen.dcgan_games import Mnist
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.gan import gan
from jaxgen.optimizers import clip_weights


@dataclasses.dataclass(frozen=True)
class Config(Mnist):
    """Settings."""

    steps: int = 2000
    """Training steps, each an update of the generator."""
    limit: float = 0.01
    """The critic's weights stay within it."""


def experiment(config: Config) -> Experiment:
    """Five critic updates for one of the generator, by RMSProp, as in the paper."""
    optimizer = optax.rmsprop(config.learning_rate)
    method = gan(
        Net(config.generator(), optimizer, ema_decay=0.99),
        Net(config.critic(), optax.chain(optimizer, clip_weights(config.limit))),
        adversarial.wasserstein,
        latent_size=config.latent_size,
        critic_steps=5,
    )
    return config.experiment(method, paper="Arjovsky et al., 2017", measured="not yet run")
