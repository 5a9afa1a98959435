"""VQ-VAE: a few words from a codebook, each of which sees the whole image, then a Gated PixelCNN learns their prior.

`jaxgen train vq_vae`; `--quantizer rounding` has no codebook to learn: Mentzer et al., 2024.
"""

import dataclasses
from typing import Literal

import optax

from head import Head, cosine, levels, signed
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.layers.vector_quantizer import FiniteScalarQuantizer, VectorQuantizer
from jaxgen.likelihoods import discretized_logistic
from jaxgen.methods.latent.vq_vae import code_prior, vq_vae
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.latent.words import WordDecoder, WordEncoder
from jaxgen.optimizers import matrices
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage

NEEDS = "images"
PAPER = "van den Oord et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 12_000
    """Training steps, of which the prior gets the last sixth."""
    learning_rate: float = 2e-3
    """AdamW's step size at the start of either stage; it decays to nothing along a cosine."""
    words: tuple[int, int] = (3, 4)
    """Of an image, in rows and columns."""
    quantizer: Literal["codebook", "rounding"] = "codebook"
    """A word is the nearest vector of a codebook, or a number rounded to one of as many levels."""
    codes: int = 4
    """Vectors of the codebook, or levels. Words that tell more cost more than they save."""
    word: int = 2
    """Length of the codebook's vectors."""
    hidden: int = 256
    """Units of the hidden layers, two in encoder and decoder."""
    noise: float = 0.3
    """Standard deviation of what images, in [-1, 1], are seen through in training."""
    decay: float = 0.6
    """AdamW's weight decay, of encoder and decoder."""


PRESETS = {"digits": Config()}


def experiment(config: Config) -> Experiment:
    """The figure is rate and distortion together."""
    data = config.load()
    likelihood = discretized_logistic(levels(data))
    hidden, first = (config.hidden, config.hidden), config.steps // 12 * 10

    def net(module, steps, decay=0.0, **streams):
        rate = cosine(config.learning_rate, max(1, steps), 0.0)
        adam = optax.adamw(rate, weight_decay=decay, mask=matrices)
        return Net(module, optax.chain(optax.clip_by_global_norm(1.0), adam), ema_decay=0.995, **streams)

    rounding = config.quantizer == "rounding"
    encoder = net(
        WordEncoder(config.words, 1 if rounding else config.word, hidden, config.noise, config.dtype),
        first,
        config.decay,
        streams=("noise",),
    )
    codebook = Net(VectorQuantizer(config.codes, restart_below=0.05), streams=("restart",))
    quantizer = Net(FiniteScalarQuantizer((config.codes,))) if rounding else codebook
    decoder = net(WordDecoder(data.spec["image"].shape, hidden, likelihood.outputs, config.dtype), first, config.decay)
    pixelcnn = GatedPixelCNN(config.codes, width=32, layers=3, size=3, dropout=0.2, dtype=config.dtype)
    prior = net(pixelcnn, config.steps - first, streams=("dropout",))
    return Experiment(
        stages=(
            Stage("codes", vq_vae(encoder, quantizer, decoder, likelihood), first),
            Stage("prior", code_prior(encoder, quantizer, decoder, prior, likelihood, event=(*config.words, 1))),
        ),
        data=signed(data),
        schedule=Schedule(config.steps, log_every=100, sample_every=3000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
