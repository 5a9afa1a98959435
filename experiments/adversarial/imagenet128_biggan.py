"""BigGAN on ImageNet at 128x128 pixels, at the paper's size: for accelerators.

`jaxgen train imagenet128_biggan`
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
from jaxgen.methods.adversarial.regularizers import orthogonal
from jaxgen.models.adversarial import biggan
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 150_000
    """Training steps, of two discriminator updates each."""
    batch_size: int = 2048
    """Images in a batch."""
    learning_rate: float = 5e-5
    """Adam's step size, for the generator."""
    critic_learning_rate: float = 2e-4
    """Adam's step size, for the discriminator."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Of activations; parameters and losses are float32."""
    width: int = 96
    """Channels of the largest maps; smaller ones have up to 16 times as many."""


def experiment(config: Config) -> Experiment:
    """The paper's batch, step sizes, orthogonal regularization and averaging."""
    generator = biggan.Generator((128, 128, 3), 1000, config.width, dtype=config.dtype)
    critic = biggan.discriminator(128, 1000, config.width, config.dtype)
    return Experiment(
        method=gan(
            generator=Net(generator, optax.adam(config.learning_rate, b1=0.0), ema_decay=0.9999),
            critic=Net(critic, optax.adam(config.critic_learning_rate, b1=0.0)),
            loss=adversarial.hinge,
            prior=normal(biggan.latent_size(128)),
            critic_steps=2,
            classes=1000,
            generator_regularizers=(orthogonal(1e-4),),
        ),
        data=tfds.images("imagenet2012", size=128, held_out="validation").map(signed_unit()),
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Brock et al., 2019",
        measured="not yet run",
    )
