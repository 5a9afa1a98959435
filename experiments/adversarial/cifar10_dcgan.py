"""A DCGAN on CIFAR-10, 32x32 pixels in colour.

`jaxgen train cifar10_dcgan`
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
from jaxgen.models.adversarial.dcgan import Discriminator, Generator
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 50_000
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size, for both networks."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    latent_size: int = 100
    """Length of z."""
    width: int = 64
    """Channels of the largest hidden maps; each smaller map has twice as many."""


def experiment(config: Config) -> Experiment:
    """The paper's settings: Adam with a first-moment decay of 0.5."""
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    return Experiment(
        method=gan(
            generator=Net(Generator((32, 32, 3), config.width, config.dtype), optimizer, ema_decay=0.999),
            critic=Net(Discriminator(config.width, config.dtype), optimizer),
            loss=adversarial.non_saturating,
            prior=normal(config.latent_size),
        ),
        data=tfds.images("cifar10").map(signed_unit()),
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Radford et al., 2016",
        measured="Fréchet distance 0.18 by a classifier's features (width 32, 10,000 steps at 5e-4, seed 0)",
    )
