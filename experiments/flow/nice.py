"""NICE on points, known densities of the plane or a table, or on images as vectors of pixels.

`jaxgen train nice`; `--data digits` for images.
"""

import dataclasses

import optax

from head import cosine, levels
from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain, Invert
from jaxgen.bijectors.flatten import Flatten
from jaxgen.bijectors.logit import Logit
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.nice import nice
from jaxgen.training.schedule import Schedule
from points import Conditioned, on_points

NEEDS = "points, or images"
PAPER = "Dinh et al., 2014"
MEASURED = {"two_moons": "-1.087 ± 0.006 nats, best possible -1.007; 2 cores"}


@dataclasses.dataclass(frozen=True)
class Config(Conditioned):
    """Settings."""

    depth: int = 4
    """Pairs of couplings."""


PRESETS = {"two_moons": Config(), "digits": Config(batch_size=64, learning_rate=1e-3, width=256)}


def experiment(config: Config) -> Experiment:
    """Additive couplings keep volume, so one scale serves everywhere; of images, on the pixels' logits."""
    data = config.load()
    flow = Chain((ActNorm(), nice(config.depth, config.widths, config.dtype)))
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    if "image" not in data.spec:
        return on_points(config, data, Net(flow, optimizer, ema_decay=0.99))
    shape = data.spec["image"].shape
    flat = Flatten(shape)
    net = Net(Chain((Logit(alpha=1e-6), flat, flow, Invert(flat))), optimizer, ema_decay=0.99)
    return Experiment(
        method=image_flow(net, event_shape=shape, levels=levels(data)),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
