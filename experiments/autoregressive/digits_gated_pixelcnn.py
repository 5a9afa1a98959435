"""Gated PixelCNN on scikit-learn's digits, 8x8 pixels of 17 levels, whose probabilities it gives exactly.

`jaxgen train digits_gated_pixelcnn`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.experiment import Experiment
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.optimizers import matrices
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 1200
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 2e-3
    """AdamW's step size at first, falling to 0 along a cosine."""
    seed: int = 0
    """Of initialization, data order and dropout."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    width: int = 32
    """Hidden channels."""
    layers: int = 4
    """Layers of both stacks."""
    size: int = 3
    """Side of the kernels."""
    dropout: float = 0.2
    """Share of the gates' outputs that is dropped."""


def experiment(config: Config) -> Experiment:
    """The pixels as they are: nothing is dequantized."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=1e-2, mask=matrices))
    model = GatedPixelCNN(
        DIGITS_LEVELS, config.width, config.layers, config.size, dropout=config.dropout, dtype=config.dtype
    )
    return Experiment(
        method=maximum_likelihood(
            Net(model, optimizer, ema_decay=0.995, streams=("dropout",)), event=(8, 8, 1), levels=DIGITS_LEVELS
        ),
        data=digits(),
        schedule=Schedule(steps=config.steps, log_every=100, sample_every=600, checkpoint_every=600, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="van den Oord et al., 2016",
        measured="not yet run",
    )
