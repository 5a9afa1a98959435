"""Glow on scikit-learn's digits, 8x8 pixels of 17 levels.

`jaxgen train digits_glow`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.bijectors.compose import Chain
from jaxgen.bijectors.logit import Logit
from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.class_prior import ClassPrior
from jaxgen.models.flow.dequantizer import Dequantizer
from jaxgen.models.flow.glow import glow
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 2000
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    flow_steps: int = 8
    """Steps of flow in a level (the paper's K)."""
    levels: int = 2
    """Scales (the paper's L)."""
    width: int = 64
    """Channels of the coupling networks' hidden layers."""
    memory: Literal["plain", "remat", "reversible"] = "plain"
    """What the gradient keeps of the flow: all activations, those between steps, or none, rebuilding them."""
    dropout: float = 0.2
    """Rate in the coupling networks: 1,437 images are few."""
    conditional: bool = False
    """Learn a base density for each digit: samples are then of a digit that is asked for."""
    variational: bool = False
    """Learn where in its cell a pixel's noise falls, seeing the image: variational dequantization, a tighter bound."""


def experiment(config: Config) -> Experiment:
    """On logits, as `digits_realnvp`; every step sees new dequantization noise; averaged weights are evaluated."""
    shape = (8, 8, 1)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    size = config.flow_steps, config.levels, config.width
    on_logits = glow(*size, dtype=config.dtype, dropout=config.dropout, memory=config.memory)
    flow = Chain((Logit(alpha=1e-6), on_logits))
    classes = 10 if config.conditional else None
    net = Net(ClassPrior(flow, 10) if config.conditional else flow, optimizer, ema_decay=0.99, streams=("dropout",))
    noise = Net(Dequantizer(2, config.width, dtype=config.dtype), optimizer, ema_decay=0.99)
    watch = config.memory == "reversible"
    return Experiment(
        method=image_flow(
            net,
            event_shape=shape,
            levels=DIGITS_LEVELS,
            dequantizer=noise if config.variational else None,
            classes=classes,
            watch_inversion=watch,
        ),
        data=digits(),
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Kingma & Dhariwal, 2018",
        measured="test 1.978 ± 0.004 bits/dim (3 seeds, 53-85 s on 2 CPU cores)",
    )
