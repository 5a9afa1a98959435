"""R3GAN: relativistic pairs, R1 and R2, and networks without normalization.

`jaxgen train r3gan`
"""

import dataclasses

import optax

from games import OTHER, Game, played
from head import signed, strided
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.layers.conv import doublings
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.r3gan import Critic, Generator

NEEDS = "images"
PAPER = "Huang et al., 2024"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    learning_rate: float = 2e-4
    """Adam's step size, for all networks."""
    width: int = 32
    """Channels of all hidden maps."""
    gamma: float = 1.0
    """Weight of R1 and of R2."""


PRESETS = {"digits": Config(), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """The baseline of which the paper says that nothing else is needed."""
    data = signed(strided(config.load()))
    height, width, channels = data.spec["image"].shape
    adam, features = optax.adam(config.learning_rate, b1=0.0, b2=0.9), (config.width,) * (doublings(height, width) + 1)
    method = gan(
        Net(Generator(features, channels, blocks=1, dtype=config.dtype), adam, ema_decay=0.999),
        Net(Critic(features, blocks=1, dtype=config.dtype), adam),
        adversarial.relativistic_pairing,
        prior=normal(config.latent_size),
        critic_regularizers=[regularizers.r1(config.gamma), regularizers.r2(config.gamma)],
    )
    return played(config, data, method)
