"""Glow on MNIST, 28x28 pixels of 256 levels.

`jaxgen train mnist_glow`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.bijectors.compose import Chain
from jaxgen.bijectors.logit import Logit
from jaxgen.core import Net
from jaxgen.data import tfds
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.glow import glow
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 1000
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    flow_steps: int = 4
    """Steps of flow in a level (the paper's K)."""
    levels: int = 2
    """Scales (the paper's L)."""
    width: int = 64
    """Channels of the coupling networks' hidden layers."""
    memory: Literal["plain", "remat", "reversible"] = "plain"
    """What the gradient keeps of the flow: all activations, those between steps, or none, rebuilding them."""


def experiment(config: Config) -> Experiment:
    """On logits, as `mnist_realnvp`; every step sees new dequantization noise; averaged weights are evaluated."""
    shape = (28, 28, 1)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    on_logits = glow(config.flow_steps, config.levels, config.width, dtype=config.dtype, memory=config.memory)
    flow, watch = Chain((Logit(alpha=1e-6), on_logits)), config.memory == "reversible"
    return Experiment(
        method=image_flow(Net(flow, optimizer, ema_decay=0.99), event_shape=shape, levels=256, watch_inversion=watch),
        data=tfds.images("mnist"),
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Kingma & Dhariwal, 2018",
        measured="test 1.371 ± 0.003 bits/dim (3 seeds, 143-239 s on 2 CPU cores)",
    )
