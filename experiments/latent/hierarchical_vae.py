"""A variational autoencoder of several levels of latents: a ladder of layers, or a very deep one of grids.

`jaxgen train hierarchical_vae`; `--network very_deep` for the second.
"""

import dataclasses
from typing import Literal

import optax

from head import Head, cosine, levels, signed
from jaxgen.core import Net
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import discretized_logistic
from jaxgen.methods.latent.hierarchical import hierarchical_vae
from jaxgen.models.latent.ladder import LadderDecoder, LadderEncoder
from jaxgen.models.latent.vdvae import DeepDecoder, DeepEncoder
from jaxgen.optimizers import skip_large
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Sonderby et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 4000
    """Training steps."""
    learning_rate: float = 2e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    network: Literal["ladder", "very_deep"] = "ladder"
    """Levels of vectors, or of grids that become finer."""
    latents: tuple[int, ...] = (16, 8, 4)
    """Sizes of the ladder's levels, from the data up."""
    hidden: int = 64
    """Units of the ladder's hidden layers, two at each level; four times as many learn the digits by heart."""
    width: int = 48
    """Channels of the very deep one."""
    blocks: int = 2
    """Its levels on each of four grids, which begin at the image's side and are halved."""
    warm_up: int = 1000
    """Steps in which the divergence comes to its full weight."""
    largest_gradient: float = 1000.0
    """Norm of a gradient above which an update is left out."""


PRESETS = {"digits": Config()}


def experiment(config: Config) -> Experiment:
    """Encoder, decoder and the likelihood of pixels' levels."""
    data = config.load()
    likelihood, data = discretized_logistic(levels(data)), signed(data)
    side, _, channels = data.spec["image"].shape
    if config.network == "ladder":
        hidden = (config.hidden,) * len(config.latents)
        encoder = LadderEncoder(config.latents, hidden, config.dtype)
        decoder = LadderDecoder(config.latents, hidden, data.spec["image"].shape, likelihood.outputs, config.dtype)
    else:
        if side % 8:
            raise UserError(
                f"images of {data.name} are {side} pixels wide, of which grids cannot be halved; give --size."
            )
        shared = {"sides": (side, side // 2, side // 4, side // 8), "blocks": config.blocks, "width": config.width}
        encoder = DeepEncoder(**shared, dtype=config.dtype)
        decoder = DeepDecoder(**shared, channels=channels, outputs=likelihood.outputs, dtype=config.dtype)
    adam = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    optimizer = skip_large(adam, config.largest_gradient)
    together = 10 if config.network == "ladder" else 1  # a CPU has a copy of each step, and these compile for long
    return Experiment(
        method=hierarchical_vae(
            Net(encoder, optimizer, ema_decay=0.999),
            Net(decoder, optimizer, ema_decay=0.999),
            likelihood,
            beta=optax.linear_schedule(0.0, 1.0, config.warm_up),
        ),
        data=data,
        schedule=Schedule(
            config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=together
        ),
        batch_size=config.batch_size,
        seed=config.seed,
    )
