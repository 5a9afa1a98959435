"""An importance-weighted autoencoder on MNIST, fully connected, Bernoulli pixels, statically binarized (our own draw).

`jaxgen train mnist_iwae`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data import tfds
from jaxgen.data.transforms import binarize
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import bernoulli
from jaxgen.methods.latent.iwae import iwae
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 12_000
    """Training steps."""
    batch_size: int = 100
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise; the binarization is always the same."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    draws: int = 50
    """k: draws of z that are weighed together."""
    doubly_reparametrized: bool = False
    """Whether the encoder's gradient is DReG's."""
    latent_size: int = 50
    """Length of z."""
    hidden: int = 200
    """Units of the hidden layers, two in each network."""


def experiment(config: Config) -> Experiment:
    """The networks of the paper's models with one layer of latents; held out, both the one-draw and a 50-draw bound."""
    layers = (config.hidden, config.hidden)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    return Experiment(
        method=iwae(
            encoder=Net(MLPEncoder(config.latent_size, layers, config.dtype), optimizer, ema_decay=0.999),
            decoder=Net(MLPDecoder((28, 28, 1), layers, dtype=config.dtype), optimizer, ema_decay=0.999),
            likelihood=bernoulli,
            latent_size=config.latent_size,
            draws=config.draws,
            doubly_reparametrized=config.doubly_reparametrized,
        ),
        data=tfds.images("mnist").map_once(binarize()),
        schedule=Schedule(config.steps, log_every=200, sample_every=3000, checkpoint_every=3000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Burda et al., 2016",
        measured="not yet run",
    )
