"""VQ-VAE on scikit-learn's digits, 17 levels: 4x4 codes from 64 words, then a Gated PixelCNN learns their prior.

`jaxgen train digits_vq_vae`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.transforms import signed_unit
from jaxgen.experiment import Experiment
from jaxgen.layers.vector_quantizer import VectorQuantizer
from jaxgen.likelihoods import discretized_logistic
from jaxgen.methods.latent.vq_vae import code_prior, vq_vae
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.latent.grid import GridDecoder, GridEncoder
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 4000
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 2e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    codes: int = 64
    """Words of the codebook."""
    size: int = 8
    """Length of a word."""
    width: int = 64
    """Channels of the networks."""


def experiment(config: Config) -> Experiment:
    """Half of the steps to either stage; the figure is rate and distortion together."""
    rate = optax.cosine_decay_schedule(config.learning_rate, max(1, config.steps // 2))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    likelihood = discretized_logistic(DIGITS_LEVELS)
    encoder = Net(GridEncoder(config.size, config.width, config.dtype), optimizer, ema_decay=0.995)
    quantizer = Net(VectorQuantizer(config.codes, restart_below=0.05), streams=("restart",))
    decoder = Net(GridDecoder(1, likelihood.outputs, config.width, config.dtype), optimizer, ema_decay=0.995)
    pixelcnn = GatedPixelCNN(config.codes, config.width, layers=3, size=3, dropout=0.2, dtype=config.dtype)
    prior = Net(pixelcnn, optimizer, ema_decay=0.995, streams=("dropout",))
    return Experiment(
        stages=(
            Stage("codes", vq_vae(encoder, quantizer, decoder, likelihood), config.steps // 20 * 10),
            Stage("prior", code_prior(encoder, quantizer, decoder, prior, likelihood, event=(4, 4, 1))),
        ),
        data=digits().map(signed_unit(DIGITS_LEVELS)),
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="van den Oord et al., 2017",
        measured="not yet run",
    )
