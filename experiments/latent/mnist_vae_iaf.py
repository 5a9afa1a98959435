"""The variational autoencoder of `mnist_vae` with an inverse autoregressive flow as its posterior.

`jaxgen train mnist_vae_iaf`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data import tfds
from jaxgen.data.transforms import binarize
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import bernoulli
from jaxgen.methods.latent.vae import vae
from jaxgen.models.flow.iaf import iaf
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 10_000
    """Training steps."""
    batch_size: int = 256
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise; the binarization is always the same."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    latent_size: int = 20
    """Length of z."""
    hidden: int = 400
    """Units of the hidden layers, two in encoder and decoder."""
    flow_layers: int = 4
    """Autoregressive layers of the posterior."""
    flow_hidden: int = 128
    """Units of the hidden layer in each of them."""
    context: int = 64
    """Numbers the encoder tells the flow besides mean and variance."""


def experiment(config: Config) -> Experiment:
    """Networks, data and schedule are those of `mnist_vae`; one sample of z each."""
    layers = (config.hidden, config.hidden)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    encoder = MLPEncoder(config.latent_size, layers, config.dtype, config.context)
    decoder = MLPDecoder((28, 28, 1), layers, dtype=config.dtype)
    flow = iaf(config.flow_layers, (config.flow_hidden,), config.dtype)
    return Experiment(
        method=vae(
            encoder=Net(encoder, optimizer, ema_decay=0.999),
            decoder=Net(decoder, optimizer, ema_decay=0.999),
            likelihood=bernoulli,
            latent_size=config.latent_size,
            posterior=Net(flow, optimizer, ema_decay=0.999),
        ),
        data=tfds.images("mnist").map_once(binarize()),
        schedule=Schedule(config.steps, log_every=200, sample_every=2000, checkpoint_every=2000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Kingma et al., 2016",
        measured="2,000 steps: test negative ELBO 119.3 ± 1.2 nats (Gaussian 125.1 ± 0.6); 2 min, 2 busy cores",
    )
