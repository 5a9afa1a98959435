"""An importance-weighted autoencoder, fully connected, on binarized images (our own draw).

`jaxgen train iwae --data mnist`
"""

import dataclasses

import optax

from head import Head, binarized, cosine
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import bernoulli
from jaxgen.methods.latent.iwae import iwae
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Burda et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 12_000
    """Training steps."""
    batch_size: int = 100
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    draws: int = 50
    """k: draws of z that are weighed together."""
    doubly_reparametrized: bool = False
    """Whether the encoder's gradient is DReG's."""
    dynamic: bool = False
    """Whether the pixels of what is trained on are drawn anew in every batch: dynamic binarization, as the paper's."""
    latent_size: int = 50
    """Length of z."""
    hidden: int = 200
    """Units of the hidden layers, two in each network."""


PRESETS = {"mnist": Config(), "digits": Config(steps=3000, latent_size=16)}


def experiment(config: Config) -> Experiment:
    """The networks of the paper's models with one layer of latents; held out, both the one-draw and a 50-draw bound."""
    data, layers = binarized(config.load(), dynamic=config.dynamic), (config.hidden, config.hidden)
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    decoder = MLPDecoder(data.spec["image"].shape, layers, dtype=config.dtype)
    return Experiment(
        method=iwae(
            encoder=Net(MLPEncoder(config.latent_size, layers, config.dtype), optimizer, ema_decay=0.999),
            decoder=Net(decoder, optimizer, ema_decay=0.999),
            likelihood=bernoulli,
            latent_size=config.latent_size,
            draws=config.draws,
            doubly_reparametrized=config.doubly_reparametrized,
        ),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
