"""The residual SNGAN: the hinge game against a critic of residual blocks, all its weights spectrally normalized.

`jaxgen train sngan_resnet --data cifar10`
"""

import dataclasses

import optax

from games import Game, played
from head import signed, strided
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.layers.conv import doublings
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.resnet_gan import Discriminator, Generator, plain

NEEDS = "images; an accelerator at full width"
PAPER = "Miyato et al., 2018"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    steps: int = 50_000
    """Training steps, of five discriminator updates each."""
    learning_rate: float = 2e-4
    """Adam's first step size, for both networks; it falls to nothing in a straight line."""
    latent_size: int = 128
    """Length of z."""
    width: int = 256
    """Channels of the generator's maps; the discriminator's have half as many."""


PRESETS = {"cifar10": Config(), "digits": Config(steps=5000, width=32)}


def experiment(config: Config) -> Experiment:
    """The paper's settings for residual networks: Adam without a first moment, and the hinge loss."""
    data = signed(strided(config.load()))
    optimizer = optax.adam(optax.linear_schedule(config.learning_rate, 0.0, config.steps), b1=0.0, b2=0.9)
    critic_optimizer = optax.adam(optax.linear_schedule(config.learning_rate, 0.0, 5 * config.steps), b1=0.0, b2=0.9)
    shape = data.spec["image"].shape
    widths = (config.width,) * (doublings(*shape[:2]) + 1)
    generator = Generator(shape, widths, layers=plain(dtype=config.dtype))
    critic = Discriminator((config.width // 2,) * 4, dtype=config.dtype)
    method = gan(
        Net(generator, optimizer, ema_decay=0.999),
        Net(critic, critic_optimizer),
        adversarial.hinge,
        prior=normal(config.latent_size),
        critic_steps=5,
    )
    return played(config, data, method)
