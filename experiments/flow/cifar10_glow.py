"""Glow on CIFAR-10 at the paper's size, 32x32 pixels in colour of 256 levels: for accelerators.

`jaxgen train cifar10_glow`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data import tfds
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.glow import glow
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 200_000
    """Training steps."""
    batch_size: int = 512
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size once it has warmed up."""
    warm_up: int = 1000
    """Steps over which the step size grows from nothing; ten epochs."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    flow_steps: int = 32
    """Steps of flow in a level (the paper's K)."""
    levels: int = 3
    """Scales (the paper's L)."""
    width: int = 512
    """Channels of the coupling networks' hidden layers."""
    memory: Literal["plain", "remat", "reversible"] = "plain"
    """What the gradient keeps of the flow: all activations, those between steps, or none, rebuilding them."""


def experiment(config: Config) -> Experiment:
    """The size, batch and couplings of the paper's appendix; every step sees new dequantization noise."""
    rate = optax.linear_schedule(0.0, config.learning_rate, config.warm_up)
    flow = glow(config.flow_steps, config.levels, config.width, dtype=config.dtype, memory=config.memory)
    net, watch = Net(flow, optax.adam(rate), ema_decay=0.999), config.memory == "reversible"
    return Experiment(
        method=image_flow(net, event_shape=(32, 32, 3), levels=256, watch_inversion=watch),
        data=tfds.images("cifar10"),
        schedule=Schedule(config.steps, log_every=100, sample_every=5000, checkpoint_every=5000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Kingma & Dhariwal, 2018",
        measured="not yet run",
    )
