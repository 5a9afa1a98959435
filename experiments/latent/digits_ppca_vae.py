"""A linear VAE on scikit-learn's digits, which must reach what closed form gives: probabilistic principal components.

`jaxgen train digits_ppca_vae`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.transforms import signed_unit
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import gaussian
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.linear import LinearDecoder, LinearEncoder
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 6000
    """Training steps."""
    batch_size: int = 128
    """Images in a batch."""
    learning_rate: float = 1e-2
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    latent_size: int = 8
    """Length of z."""


def experiment(config: Config) -> Experiment:
    """In grey levels of [-1, 1] the best test density with eight latents is -31.820 nats: `losses.ppca`."""
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    return Experiment(
        method=vae(
            encoder=Net(LinearEncoder(config.latent_size, config.dtype), optimizer, ema_decay=0.999),
            decoder=Net(LinearDecoder((8, 8, 1), config.dtype), optimizer, ema_decay=0.999),
            likelihood=gaussian,
            latent_size=config.latent_size,
        ),
        data=digits().map(signed_unit(DIGITS_LEVELS)),
        schedule=Schedule(config.steps, log_every=200, sample_every=3000, checkpoint_every=3000, steps_per_call=50),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Lucas et al., 2019",
        measured="not yet run",
    )
