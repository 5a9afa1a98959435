"""A DCGAN on scikit-learn's digits, 8x8 pixels enlarged to 16x16 by repeating them.

`jaxgen train digits_dcgan`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.transforms import enlarge, signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.dcgan import Discriminator, Generator
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 6000
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 5e-4
    """Adam's step size, for both networks."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    latent_size: int = 32
    """Length of z."""
    width: int = 32
    """Channels of the largest hidden maps; each smaller map has twice as many."""


def experiment(config: Config) -> Experiment:
    """The paper's settings: Adam with a first-moment decay of 0.5."""
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    return Experiment(
        method=gan(
            generator=Net(Generator((16, 16, 1), config.width, config.dtype), optimizer, ema_decay=0.999),
            critic=Net(Discriminator(config.width, config.dtype), optimizer),
            loss=adversarial.non_saturating,
            prior=normal(config.latent_size),
        ),
        data=digits().map_once(enlarge(16)).map(signed_unit(DIGITS_LEVELS)),
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Radford et al., 2016",
        measured="10 of 10 classes, class entropy 2.296 ± 0.001 nats (3 seeds, 2 CPU cores)",
    )
