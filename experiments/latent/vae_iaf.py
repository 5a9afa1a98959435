"""A variational autoencoder with an inverse autoregressive flow as its posterior, on binarized images.

`jaxgen train vae_iaf --data mnist`
"""

import dataclasses

import optax

from head import Head, binarized, cosine
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import bernoulli
from jaxgen.methods.latent.vae import vae
from jaxgen.models.flow.iaf import iaf
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Kingma et al., 2016"
MEASURED = {
    "mnist": "2,000 steps: test negative ELBO 119.3 ± 1.2 nats (Gaussian 125.1 ± 0.6); 2 min, 2 busy cores",
}


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 10_000
    """Training steps."""
    batch_size: int = 256
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
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


PRESETS = {"mnist": Config(), "digits": Config(steps=3000, batch_size=64, latent_size=16, hidden=256)}


def experiment(config: Config) -> Experiment:
    """Networks, data and schedule are those of `vae` on MNIST; one sample of z each."""
    data, layers = binarized(config.load()), (config.hidden, config.hidden)
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    encoder = MLPEncoder(config.latent_size, layers, config.dtype, config.context)
    decoder = MLPDecoder(data.spec["image"].shape, layers, dtype=config.dtype)
    flow = iaf(config.flow_layers, (config.flow_hidden,), config.dtype)
    return Experiment(
        method=vae(
            encoder=Net(encoder, optimizer, ema_decay=0.999),
            decoder=Net(decoder, optimizer, ema_decay=0.999),
            likelihood=bernoulli,
            latent_size=config.latent_size,
            posterior=Net(flow, optimizer, ema_decay=0.999),
        ),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=500, checkpoint_every=500, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
