"""A GAN that draws the digit it is asked for, on scikit-learn's digits.

`jaxgen train experiments/digits_cgan.py`
"""

import dataclasses

import optax

from jaxgen.core import Net
from jaxgen.dcgan_games import Digits
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.gan import gan
from jaxgen.models.conditional import WithLabel


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """A DCGAN whose networks both see the label, appended to z and to every pixel."""
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    method = gan(
        Net(WithLabel(config.generator(), 10), optimizer, ema_decay=0.999),
        Net(WithLabel(config.critic("batch"), 10), optimizer),
        adversarial.non_saturating,
        latent_size=config.latent_size,
        classes=10,
    )
    return config.experiment(method, paper="Mirza & Osindero, 2014", measured="not yet run")
