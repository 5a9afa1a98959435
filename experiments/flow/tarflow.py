"""TarFlow: autoregressive flows on an image's patches, each a causal transformer, in alternating directions.

`jaxgen train tarflow`; `--noise 0.1 --guidance 1` for samples as the paper draws them.
"""

import dataclasses
import functools

from head import classes, signed
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.noisy_flow import noisy_image_flow
from jaxgen.models.flow.tarflow import tarflow
from patches import Patches, fitted, moved, trained

NEEDS = "images"
PAPER = "Zhai et al., 2024"


@dataclasses.dataclass(frozen=True)
class Config(Patches):
    """Settings."""

    flows: int = 4
    """Autoregressive flows (the paper's T)."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise on pixels in [-1, 1], which is taken off samples; 0 dequantizes instead."""
    guidance: float = 0.0
    """With noise, how much more than trained samples are to be of their class; 0 tells the flow no classes."""


PRESETS = {"digits": Config(), "mnist": Config(patch=4)}


def experiment(config: Config) -> Experiment:
    """Every other flow goes through the patches from the last to the first."""
    data = config.load()
    flow = functools.partial(
        tarflow,
        data.spec["image"].shape,
        patch=config.patch,
        flows=config.flows,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        dtype=config.dtype,
    )
    if not config.noise:
        return fitted(config, data, flow())
    count = classes(data) if config.guidance else 0
    method = noisy_image_flow(
        Net(flow(classes=count), moved(config), ema_decay=0.99),
        event_shape=data.spec["image"].shape,
        noise=config.noise,
        classes=count or None,
        guided=flow(classes=count, guidance=config.guidance) if count else None,
    )
    return trained(config, signed(data), method)
