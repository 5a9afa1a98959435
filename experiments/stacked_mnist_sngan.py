"""A DCGAN with a spectrally normalized discriminator on Stacked-MNIST: three random digits as red, green and blue.

`jaxgen eval RUN --features classifier` counts which of the 1,000 modes its samples have.

`jaxgen train experiments/stacked_mnist_sngan.py`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data import tfds
from jaxgen.data.stacked import stacked
from jaxgen.data.transforms import pad, signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.gan import gan
from jaxgen.models.dcgan import Discriminator, Generator
from jaxgen.training.loop import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 5000
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size, for both networks."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    latent_size: int = 64
    """Length of z."""
    width: int = 32
    """Channels of the largest hidden maps; each smaller map has twice as many."""


def experiment(config: Config) -> Experiment:
    """The hinge loss, and spectral normalization in place of the discriminator's batch normalization."""
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    return Experiment(
        method=gan(
            generator=Net(Generator((32, 32, 3), config.width, config.dtype), optimizer, ema_decay=0.999),
            critic=Net(Discriminator(config.width, config.dtype, "spectral"), optimizer),
            loss=adversarial.hinge,
            latent_size=config.latent_size,
        ),
        data=stacked(tfds.images("mnist").map_once(pad(32))).map(signed_unit()),
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Miyato et al., 2018",
        measured="not yet run",
    )
