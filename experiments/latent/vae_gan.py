"""VAE-GAN: a VAE whose decoder is a GAN's generator, and whose reconstructions are judged by the critic's features.

`jaxgen train vae_gan`; then `jaxgen sample RUN --from test` shows reconstructions beside images.
"""

import dataclasses

import optax

from games import Game, played
from head import signed, strided
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.latent.perceptual import vae_gan
from jaxgen.models.adversarial.dcgan import Generator, Trunk
from jaxgen.models.adversarial.heads import WithFeatures
from jaxgen.models.latent.vae import ConvEncoder

NEEDS = "images"
PAPER = "Larsen et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    steps: int = 3000
    """Training steps, each an update of every network."""
    learning_rate: float = 3e-4
    """RMSProp's step size, for all networks."""
    gamma: float = 1e-2
    """Weight of the reconstruction against the game, for the decoder."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(steps=5000, latent_size=64),
    "other": Config(steps=10_000, latent_size=100),
}


def experiment(config: Config) -> Experiment:
    """A DCGAN's networks; the game moves the decoder and the critic, and never the encoder."""
    data = signed(strided(config.load()))
    rmsprop = optax.rmsprop(config.learning_rate)
    method = vae_gan(
        Net(ConvEncoder(config.latent_size, config.width, config.dtype), rmsprop, ema_decay=0.999),
        Net(Generator(data.spec["image"].shape, config.width, config.dtype), rmsprop, ema_decay=0.999),
        Net(WithFeatures(Trunk(config.width, config.dtype), config.dtype), rmsprop),
        adversarial.non_saturating,
        latent_size=config.latent_size,
        gamma=config.gamma,
    )
    return played(config, data, method)
