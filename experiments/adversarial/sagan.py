"""A small class-conditional SAGAN, whose maps of 16x16 attend to themselves.

`jaxgen train sagan`
"""

import dataclasses

import optax

from attention_maps import attention_drawing
from games import Game, played
from head import classes, signed, strided
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial import sagan

NEEDS = "images with labels"
PAPER = "Zhang et al., 2019"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    steps: int = 5000
    """Training steps."""
    learning_rate: float = 1e-4
    """Adam's step size, for the generator."""
    critic_learning_rate: float = 4e-4
    """Adam's step size, for the discriminator."""
    latent_size: int = 64
    """Length of z."""
    width: int = 8
    """Channels of the largest maps, at least 8; each smaller map has twice as many."""


PRESETS = {"mnist": Config(), "digits": Config()}


def experiment(config: Config) -> Experiment:
    """The paper's loss and its two step sizes."""
    data = signed(strided(config.load(), smallest=32))
    shape, count = data.spec["image"].shape, classes(data)
    generator = sagan.generator(shape, config.width, count, attention=16, dtype=config.dtype)
    critic = sagan.discriminator(shape[0], config.width, count, attention=16, dtype=config.dtype)
    method = gan(
        Net(generator, optax.adam(config.learning_rate, b1=0.0, b2=0.9), ema_decay=0.999),
        Net(critic, optax.adam(config.critic_learning_rate, b1=0.0, b2=0.9)),
        adversarial.hinge,
        prior=normal(config.latent_size),
        classes=count,
    )
    return dataclasses.replace(played(config, data, method), drawings={"attention": attention_drawing(method)})
