"""The residual SNGAN on CIFAR-10, 32x32 pixels in colour.

`jaxgen train cifar10_sngan`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data import tfds
from jaxgen.data.transforms import signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.resnet_gan import Discriminator, Generator, plain
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 50_000
    """Training steps, of five discriminator updates each."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 2e-4
    """Adam's first step size, for both networks; it falls to nothing in a straight line."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    latent_size: int = 128
    """Length of z."""
    width: int = 256
    """Channels of the generator's maps; the discriminator's have half as many."""


def experiment(config: Config) -> Experiment:
    """The paper's settings for residual networks: Adam without a first moment, and the hinge loss."""
    optimizer = optax.adam(optax.linear_schedule(config.learning_rate, 0.0, config.steps), b1=0.0, b2=0.9)
    critic_optimizer = optax.adam(optax.linear_schedule(config.learning_rate, 0.0, 5 * config.steps), b1=0.0, b2=0.9)
    generator = Generator((32, 32, 3), (config.width,) * 4, layers=plain(dtype=config.dtype))
    critic = Discriminator((config.width // 2,) * 4, dtype=config.dtype)
    return Experiment(
        method=gan(
            generator=Net(generator, optimizer, ema_decay=0.999),
            critic=Net(critic, critic_optimizer),
            loss=adversarial.hinge,
            prior=normal(config.latent_size),
            critic_steps=5,
        ),
        data=tfds.images("cifar10").map(signed_unit()),
        schedule=Schedule(config.steps, log_every=100, sample_every=2000, checkpoint_every=2000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Miyato et al., 2018",
        measured="not yet run",
    )
