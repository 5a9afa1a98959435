"""A DCGAN with a spectrally normalized discriminator on Stacked-MNIST: three random digits as red, green and blue.

`jaxgen train experiments/stacked_mnist_sngan.py`; then `jaxgen eval RUN --features classifier` counts which of the
1,000 modes its samples have.
"""

import dataclasses

import optax

from jaxgen.core import Net
from jaxgen.dcgan_games import StackedMnist
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.gan import gan


@dataclasses.dataclass(frozen=True)
class Config(StackedMnist):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """The hinge loss, and spectral normalization in place of the discriminator's batch normalization."""
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    method = gan(
        Net(config.generator(), optimizer, ema_decay=0.999),
        Net(config.critic("spectral"), optimizer),
        adversarial.hinge,
        latent_size=config.latent_size,
    )
    return config.experiment(method, paper="Miyato et al., 2018", measured="not yet run")
