"""Gated PixelCNN, which gives the probabilities of pixels' levels exactly.

`jaxgen train gated_pixelcnn`
"""

import dataclasses

import optax

from head import Head, cosine, levels
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.optimizers import matrices
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "van den Oord et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 1200
    """Training steps."""
    learning_rate: float = 2e-3
    """AdamW's step size at first, falling to 0 along a cosine."""
    width: int = 32
    """Hidden channels."""
    layers: int = 4
    """Layers of both stacks."""
    kernel: int = 3
    """Side of the kernels."""
    dropout: float = 0.2
    """Share of the gates' outputs that is dropped."""


PRESETS = {"digits": Config()}


def experiment(config: Config) -> Experiment:
    """The pixels as they are: nothing is dequantized."""
    data = config.load()
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(cosine(config.learning_rate, config.steps, 0.0), weight_decay=1e-2, mask=matrices),
    )
    model = GatedPixelCNN(
        levels(data), config.width, config.layers, config.kernel, dropout=config.dropout, dtype=config.dtype
    )
    net = Net(model, optimizer, ema_decay=0.995, streams=("dropout",))
    return Experiment(
        method=maximum_likelihood(net, event=data.spec["image"].shape, levels=levels(data)),
        data=data,
        schedule=Schedule(steps=config.steps, log_every=100, sample_every=600, checkpoint_every=600, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
