"""Masked autoregressive flow, of points or images; with `--layers 1` it is MADE.

`jaxgen train maf`; `--data power --data-dir FOLDER` and so on for the published tables.
"""

import dataclasses

import optax

from head import Head, cosine, levels
from jaxgen.core import Net
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.maf import image_maf, maf
from jaxgen.training.early_stopping import EarlyStopping
from jaxgen.training.schedule import Schedule
from points import on_points

NEEDS = "points, or images"
PAPER = "Papamakarios et al., 2017"
MEASURED = {
    "two_moons": "-1.064 ± 0.011 nats, best possible -1.007; 2 cores",
    "digits": "test 2.145 ± 0.002 bits/dim; MADE of as many parameters 2.199 ± 0.002 (3 seeds, 2 CPU cores)",
    "mnist": "test 1.834 ± 0.000 bits/dim (3 seeds, 2 CPU cores; the Gaussian of logits has 2.01)",
    "breast_cancer": "test 1.5 ± 1.1 nats (3 seeds, 2 CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 2000
    """Training steps, at most where `patience` may end it sooner."""
    learning_rate: float = 1e-3
    """Adam's step size at the start."""
    last_rate: float = 0.0
    """Share of it that is left at the end of a cosine; 1 keeps it."""
    weight_decay: float = 0.0
    """By which each step draws the weights to zero, in units of the step size: for few examples."""
    validate_every: int = 20
    """Steps between evaluations on validation examples, where training may end by them."""
    patience: int | None = None
    """Evaluations in a row without a better one after which training ends and goes back to the best."""
    layers: int = 5
    """Autoregressive layers."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of the hidden layers of each autoregressive layer."""


_TABLE = Config(steps=5000, learning_rate=1e-2, last_rate=1.0, weight_decay=1.0, patience=15)
PRESETS = {
    "two_moons": Config(batch_size=256, learning_rate=3e-3, layers=8),
    "digits": Config(steps=1500, weight_decay=0.3, hidden=(256, 256)),
    "mnist": Config(batch_size=100, hidden=(512,)),
    "breast_cancer": _TABLE,
    "power": _TABLE,
    "gas": _TABLE,
    "hepmass": _TABLE,
    "miniboone": _TABLE,
    "bsds300": _TABLE,
    "other": Config(steps=5000, hidden=(256, 256)),
}


def experiment(config: Config) -> Experiment:
    """The averaged weights are evaluated; of images every step sees new dequantization noise."""
    data = config.load()
    rate = cosine(config.learning_rate, config.steps, config.last_rate)
    optimizer = optax.adamw(rate, weight_decay=config.weight_decay)
    if "image" in data.spec:
        return _of_images(config, data, optimizer)
    net = Net(maf(config.layers, config.hidden, dtype=config.dtype), optimizer, ema_decay=0.99)
    if config.patience is None:
        return on_points(config, data, net)
    every = config.validate_every
    return on_points(
        config,
        data,
        net,
        schedule=Schedule(config.steps, log_every=every, sample_every=config.steps, steps_per_call=10),
        early_stopping=EarlyStopping("log_likelihood_nats", every, config.patience, mode="max"),
    )


def _of_images(config: Config, data: Dataset, optimizer: optax.GradientTransformation) -> Experiment:
    shape = data.spec["image"].shape
    network = image_maf(shape, config.layers, config.hidden, alpha=1e-6, dtype=config.dtype)
    return Experiment(
        method=image_flow(Net(network, optimizer, ema_decay=0.99), event_shape=shape, levels=levels(data)),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
