"""A small class-conditional SAGAN on MNIST, padded to 32x32 pixels.

`jaxgen train mnist_sagan`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data import tfds
from jaxgen.data.transforms import pad, signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial import sagan
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 5000
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 1e-4
    """Adam's step size, for the generator."""
    critic_learning_rate: float = 4e-4
    """Adam's step size, for the discriminator."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    latent_size: int = 64
    """Length of z."""
    width: int = 8
    """Channels of the largest maps, at least 8; each smaller map has twice as many."""


def experiment(config: Config) -> Experiment:
    """The paper's loss and its two step sizes; maps of 16x16 attend to themselves."""
    generator = sagan.generator((32, 32, 1), config.width, 10, attention=16, dtype=config.dtype)
    critic = sagan.discriminator(32, config.width, 10, attention=16, dtype=config.dtype)
    return Experiment(
        method=gan(
            generator=Net(generator, optax.adam(config.learning_rate, b1=0.0, b2=0.9), ema_decay=0.999),
            critic=Net(critic, optax.adam(config.critic_learning_rate, b1=0.0, b2=0.9)),
            loss=adversarial.hinge,
            prior=normal(config.latent_size),
            classes=10,
        ),
        data=tfds.images("mnist").map_once(pad(32)).map(signed_unit()),
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Zhang et al., 2019",
        measured="not yet run",
    )
