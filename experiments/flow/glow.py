"""Glow: steps of actnorm, an invertible 1x1 convolution and an affine coupling, at several scales.

`jaxgen train glow`; `--data cifar10` at the paper's size, for accelerators.
"""

import dataclasses
from typing import Literal

import optax

from head import Head, classes, cosine, levels
from jaxgen.bijectors.compose import Chain
from jaxgen.bijectors.invertible_conv import InvertibleConv
from jaxgen.bijectors.logit import Logit
from jaxgen.bijectors.permutation import Permutation
from jaxgen.bijectors.reverse import Reverse
from jaxgen.bijectors.rotation import Rotation
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.class_prior import ClassPrior
from jaxgen.models.flow.dequantizer import Dequantizer
from jaxgen.models.flow.glow import glow
from jaxgen.training.schedule import Schedule

NEEDS = "images; an accelerator at the paper's size"
PAPER = "Kingma & Dhariwal, 2018"
MEASURED = {
    "digits": "test 1.978 ± 0.004 bits/dim (3 seeds, 53-85 s on 2 CPU cores)",
    "mnist": "test 1.371 ± 0.003 bits/dim (3 seeds, 143-239 s on 2 CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 2000
    """Training steps."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine, unless it warms up."""
    warm_up: int = 0
    """Steps over which the step size grows from nothing, to stay."""
    ema_decay: float = 0.99
    """Of the average, which is evaluated."""
    flow_steps: int = 8
    """Steps of flow in a level (the paper's K)."""
    levels: int = 2
    """Scales (the paper's L)."""
    width: int = 64
    """Channels of the coupling networks' hidden layers."""
    logit: bool = True
    """Work on the pixels' logits."""
    mix: Literal["convolution", "permutation", "reverse", "rotation"] = "convolution"
    """What mixes the channels before a coupling; the paper's figure 3 compares the first three."""
    memory: Literal["plain", "remat", "reversible"] = "plain"
    """What the gradient keeps of the flow: all activations, those between steps, or none, rebuilding them."""
    dropout: float = 0.0
    """Rate in the coupling networks."""
    conditional: bool = False
    """Learn a base density for each class: samples are then of a class that is asked for."""
    variational: bool = False
    """Learn where in its cell a pixel's noise falls, seeing the image: variational dequantization, a tighter bound."""


MIXES = {"convolution": InvertibleConv, "permutation": Permutation, "reverse": Reverse, "rotation": Rotation}

PRESETS = {
    "digits": Config(dropout=0.2),  # 1,437 images are few
    "mnist": Config(steps=1000, flow_steps=4),
    "cifar10": Config(
        steps=200_000,
        batch_size=512,
        warm_up=1000,
        ema_decay=0.999,
        flow_steps=32,
        levels=3,
        width=512,
        logit=False,
    ),
    "other": Config(steps=10_000),
}


def experiment(config: Config) -> Experiment:
    """Every step sees new dequantization noise; on CIFAR-10 the size, batch and couplings of the paper's appendix."""
    data = config.load()
    rate = cosine(config.learning_rate, config.steps, 0.0)
    if config.warm_up:
        rate = optax.linear_schedule(0.0, config.learning_rate, config.warm_up)
    optimizer = optax.adam(rate)
    size = config.flow_steps, config.levels, config.width
    flow = glow(*size, dtype=config.dtype, dropout=config.dropout, memory=config.memory, mix=MIXES[config.mix])
    flow = Chain((Logit(alpha=1e-6), flow)) if config.logit else flow
    count = classes(data) if config.conditional else None
    streams = ("dropout",) if config.dropout else ()
    net = Net(flow if count is None else ClassPrior(flow, count), optimizer, config.ema_decay, streams)
    noise = Net(Dequantizer(2, config.width, dtype=config.dtype), optimizer, config.ema_decay)
    return Experiment(
        method=image_flow(
            net,
            event_shape=data.spec["image"].shape,
            levels=levels(data),
            dequantizer=noise if config.variational else None,
            classes=count,
            watch_inversion=config.memory == "reversible",
        ),
        data=data,
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
    )
