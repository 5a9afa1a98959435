"""RealNVP: affine couplings, of images at several scales, or of points.

`jaxgen train realnvp`; `--data two_moons` for a known density of the plane.
"""

import dataclasses

import optax

from head import Head, cosine, levels
from jaxgen.bijectors.compose import Chain
from jaxgen.bijectors.logit import Logit
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.realnvp import image_realnvp, realnvp
from jaxgen.training.schedule import Schedule
from points import on_points

NEEDS = "images, or points"
PAPER = "Dinh et al., 2017"
MEASURED = {
    "digits": "test 2.000 ± 0.002 bits/dim (3 seeds, 54-90 s on 2 CPU cores)",
    "mnist": "test 1.384 ± 0.003 bits/dim (3 seeds, 144-180 s on 2 CPU cores)",
    "two_moons": "-1.085 ± 0.035 nats, best possible -1.007; 2 cores",
}


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 2000
    """Training steps."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    couplings: int = 4
    """Couplings with a checkerboard mask in a level, and as many with a channel mask; of points, pairs of them."""
    levels: int = 2
    """Scales of images."""
    width: int = 64
    """Channels of the coupling networks' hidden layers; of points, units of their two."""
    dropout: float = 0.0
    """Rate in the coupling networks of images."""


PRESETS = {
    "digits": Config(dropout=0.2),  # 1,437 images are few
    "mnist": Config(steps=1000, couplings=2),
    "two_moons": Config(batch_size=256, learning_rate=3e-3),
    "other": Config(steps=10_000),
}


def experiment(config: Config) -> Experiment:
    """As many couplings as `glow`, with the same networks and on logits; noise and averages as there."""
    data = config.load()
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    if "image" not in data.spec:
        network = realnvp(config.couplings, (config.width, config.width), dtype=config.dtype)
        return on_points(config, data, Net(network, optimizer, ema_decay=0.99))
    size = config.couplings, config.levels, config.width
    network = Chain((Logit(alpha=1e-6), image_realnvp(*size, dtype=config.dtype, dropout=config.dropout)))
    net = Net(network, optimizer, ema_decay=0.99, streams=("dropout",) if config.dropout else ())
    return Experiment(
        method=image_flow(net, event_shape=data.spec["image"].shape, levels=levels(data)),
        data=data,
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
    )
