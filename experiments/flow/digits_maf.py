"""Masked autoregressive flow on scikit-learn's digits, 8x8 pixels of 17 levels; with `--flow-layers 1` it is MADE.

`jaxgen train digits_maf`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.maf import image_maf
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 1500
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    flow_layers: int = 5
    """Autoregressive layers."""
    hidden: int = 256
    """Units of the hidden layers, two in each autoregressive layer."""


def experiment(config: Config) -> Experiment:
    """Every step sees new dequantization noise; the averaged weights are evaluated. Weights decay: images are few."""
    shape, hidden = (8, 8, 1), (config.hidden, config.hidden)
    optimizer = optax.adamw(optax.cosine_decay_schedule(config.learning_rate, config.steps), weight_decay=0.3)
    flow = image_maf(shape, config.flow_layers, hidden, alpha=1e-6, dtype=config.dtype)
    return Experiment(
        method=image_flow(Net(flow, optimizer, ema_decay=0.99), event_shape=shape, levels=DIGITS_LEVELS),
        data=digits(),
        schedule=Schedule(config.steps, log_every=100, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Papamakarios et al., 2017",
        measured="test 2.145 ± 0.002 bits/dim; MADE of as many parameters 2.199 ± 0.002 (3 seeds, 2 CPU cores)",
    )
