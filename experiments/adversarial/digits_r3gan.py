"""R3GAN on scikit-learn's digits: relativistic pairs, R1 and R2, and networks without normalization.

`jaxgen train digits_r3gan`
"""

import dataclasses

import optax

from games import Digits
from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.transforms import enlarge, signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.r3gan import Critic, Generator
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""

    learning_rate: float = 2e-4
    """Adam's step size, for all networks."""
    width: int = 32
    """Channels of all hidden maps."""
    gamma: float = 1.0
    """Weight of R1 and of R2."""


def experiment(config: Config) -> Experiment:
    """The baseline of which the paper says that nothing else is needed."""
    adam, features = optax.adam(config.learning_rate, b1=0.0, b2=0.9), (config.width,) * 3
    method = gan(
        Net(Generator(features, blocks=1, dtype=config.dtype), adam, ema_decay=0.999),
        Net(Critic(features, blocks=1, dtype=config.dtype), adam),
        adversarial.relativistic_pairing,
        prior=normal(config.latent_size),
        critic_regularizers=[regularizers.r1(config.gamma), regularizers.r2(config.gamma)],
    )
    return Experiment(
        method=method,
        data=digits().map_once(enlarge(16)).map(signed_unit(DIGITS_LEVELS)),
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Huang et al., 2024",
        measured="not yet run",
    )
