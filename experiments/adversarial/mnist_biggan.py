"""A small BigGAN on MNIST, padded to 32x32 pixels.

`jaxgen train mnist_biggan`
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
from jaxgen.methods.adversarial.regularizers import orthogonal
from jaxgen.models.adversarial import biggan
from jaxgen.training.schedule import Schedule


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
    width: int = 4
    """All maps have four times as many channels."""


def experiment(config: Config) -> Experiment:
    """The release's step size for small images, with one discriminator step for each of the generator's."""
    generator = biggan.Generator((32, 32, 1), 10, config.width, embedding=32, dtype=config.dtype)
    optimizer = optax.adam(config.learning_rate, b1=0.0)
    return Experiment(
        method=gan(
            generator=Net(generator, optimizer, ema_decay=0.999),
            critic=Net(biggan.discriminator(32, 10, config.width, config.dtype), optimizer),
            loss=adversarial.hinge,
            prior=normal(biggan.latent_size(32)),
            classes=10,
            generator_regularizers=(orthogonal(1e-4),),
        ),
        data=tfds.images("mnist").map_once(pad(32)).map(signed_unit()),
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Brock et al., 2019",
        measured="not yet run",
    )
