"""BiGAN: an encoder that learns to invert the generator.

`jaxgen train bigan`
"""

import dataclasses

import optax

from games import OTHER, Game, played
from head import signed, strided
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.bigan import Encoder, PairCritic
from jaxgen.models.adversarial.dcgan import Generator, Trunk

NEEDS = "images"
PAPER = "Donahue et al., 2017; Dumoulin et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    learning_rate: float = 2e-4
    """Adam's step size, for all networks."""


PRESETS = {"digits": Config(), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """Reconstructions count beside those of random images: `reconstruction` and `random_reconstruction`."""
    data = signed(strided(config.load()))
    adam, latents = optax.adam(config.learning_rate, b1=0.5), config.latent_size
    trunk = Trunk(config.width, config.dtype)
    method = bigan(
        Net(Generator(data.spec["image"].shape, config.width, config.dtype), adam, ema_decay=0.999),
        Net(Encoder(trunk, latents, config.dtype), adam, ema_decay=0.999),
        Net(PairCritic(Trunk(config.width, config.dtype, normalization=None), dtype=config.dtype), adam),
        adversarial.non_saturating,
        prior=normal(latents),
    )
    return played(config, data, method)
