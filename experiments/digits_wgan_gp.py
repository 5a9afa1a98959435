"""A Wasserstein GAN with a gradient penalty on scikit-learn's digits.

`jaxgen train experiments/digits_wgan_gp.py`
"""

import dataclasses

import optax

from jaxgen.core import Net
from jaxgen.dcgan_games import Digits
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods import regularizers
from jaxgen.methods.gan import gan


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""

    steps: int = 1500
    """Training steps, each an update of the generator."""
    penalty: float = 10.0
    """Weight of the gradient penalty."""


def experiment(config: Config) -> Experiment:
    """Five critic updates for one of the generator, by Adam without momentum, as in the paper."""
    optimizer = optax.adam(config.learning_rate, b1=0.0, b2=0.9)
    method = gan(
        Net(config.generator(), optimizer, ema_decay=0.99),
        Net(config.critic(), optimizer),
        adversarial.wasserstein,
        latent_size=config.latent_size,
        critic_steps=5,
        critic_regularizers=[regularizers.gradient_penalty(config.penalty)],
    )
    return config.experiment(method, paper="Gulrajani et al., 2017", measured="not yet run")
