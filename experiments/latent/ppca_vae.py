"""A linear VAE, which must reach what closed form gives: probabilistic principal components.

`jaxgen train ppca_vae`
"""

import dataclasses

import optax

from head import Head, cosine, signed
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import gaussian
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.linear import LinearDecoder, LinearEncoder
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Lucas et al., 2019"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 6000
    """Training steps."""
    batch_size: int = 128
    """Images in a batch."""
    learning_rate: float = 1e-2
    """Adam's step size at the start; it decays to nothing along a cosine."""
    latent_size: int = 8
    """Length of z."""


PRESETS = {"digits": Config()}


def experiment(config: Config) -> Experiment:
    """On digits, in grey levels of [-1, 1], the best test density with eight latents is -31.820 nats: `losses.ppca`."""
    data = signed(config.load())
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    return Experiment(
        method=vae(
            encoder=Net(LinearEncoder(config.latent_size, config.dtype), optimizer, ema_decay=0.999),
            decoder=Net(LinearDecoder(data.spec["image"].shape, config.dtype), optimizer, ema_decay=0.999),
            likelihood=gaussian,
            latent_size=config.latent_size,
        ),
        data=data,
        schedule=Schedule(config.steps, log_every=200, sample_every=3000, checkpoint_every=3000, steps_per_call=50),
        batch_size=config.batch_size,
        seed=config.seed,
    )
