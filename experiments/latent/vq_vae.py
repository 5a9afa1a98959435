"""VQ-VAE: codes from a codebook, half the image's side, then a Gated PixelCNN learns their prior.

`jaxgen train vq_vae`
"""

import dataclasses

import optax

from head import Head, cosine, levels, signed
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.layers.vector_quantizer import VectorQuantizer
from jaxgen.likelihoods import discretized_logistic
from jaxgen.methods.latent.vq_vae import code_prior, vq_vae
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.latent.grid import GridDecoder, GridEncoder
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage

NEEDS = "images of even sides"
PAPER = "van den Oord et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 4000
    """Training steps."""
    learning_rate: float = 2e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    codes: int = 64
    """Words of the codebook."""
    word: int = 8
    """Length of a word."""
    width: int = 64
    """Channels of the networks."""


PRESETS = {"digits": Config()}


def experiment(config: Config) -> Experiment:
    """Half of the steps to either stage; the figure is rate and distortion together."""
    data = config.load()
    likelihood = discretized_logistic(levels(data))
    height, width, channels = data.spec["image"].shape
    rate = cosine(config.learning_rate, max(1, config.steps // 2), 0.0)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    encoder = Net(GridEncoder(config.word, config.width, config.dtype), optimizer, ema_decay=0.995)
    quantizer = Net(VectorQuantizer(config.codes, restart_below=0.05), streams=("restart",))
    decoder = Net(GridDecoder(channels, likelihood.outputs, config.width, config.dtype), optimizer, ema_decay=0.995)
    pixelcnn = GatedPixelCNN(config.codes, config.width, layers=3, size=3, dropout=0.2, dtype=config.dtype)
    prior = Net(pixelcnn, optimizer, ema_decay=0.995, streams=("dropout",))
    event = (height // 2, width // 2, 1)
    return Experiment(
        stages=(
            Stage("codes", vq_vae(encoder, quantizer, decoder, likelihood), config.steps // 20 * 10),
            Stage("prior", code_prior(encoder, quantizer, decoder, prior, likelihood, event=event)),
        ),
        data=signed(data),
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
