"""BiGAN on scikit-learn's digits: an encoder that learns to invert the generator.

`jaxgen train digits_bigan`
"""

import dataclasses

import optax

from games import Digits
from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.transforms import enlarge, signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.bigan import Encoder, PairCritic
from jaxgen.models.adversarial.dcgan import Generator, Trunk
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""

    learning_rate: float = 2e-4
    """Adam's step size, for all networks."""


def experiment(config: Config) -> Experiment:
    """Reconstructions count beside those of random images: `reconstruction` and `random_reconstruction`."""
    adam, latents = optax.adam(config.learning_rate, b1=0.5), config.latent_size
    trunk = Trunk(config.width, config.dtype)
    method = bigan(
        Net(Generator((16, 16, 1), config.width, config.dtype), adam, ema_decay=0.999),
        Net(Encoder(trunk, latents, config.dtype), adam, ema_decay=0.999),
        Net(PairCritic(Trunk(config.width, config.dtype, normalization=None), dtype=config.dtype), adam),
        adversarial.non_saturating,
        prior=normal(latents),
    )
    return Experiment(
        method=method,
        data=digits().map_once(enlarge(16)).map(signed_unit(DIGITS_LEVELS)),
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Donahue et al., 2017; Dumoulin et al., 2017",
        measured="not yet run",
    )
