"""Gated PixelCNN, which gives the probabilities of pixels' levels exactly.

`jaxgen train gated_pixelcnn`
"""

import dataclasses

from head import levels
from jaxgen.experiment import Experiment
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from pixels import Pixels, fitted

NEEDS = "images"
PAPER = "van den Oord et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Pixels):
    """Settings."""

    width: int = 32
    """Hidden channels."""
    layers: int = 4
    """Layers of both stacks."""
    kernel: int = 3
    """Side of the kernels."""


PRESETS = {"digits": Config(), "mnist": Config(batch_size=32, dropout=0.0, binary=True, layers=6)}


def experiment(config: Config) -> Experiment:
    """A stack that sees the rows above beside one that sees the row so far."""
    data = config.load()
    model = GatedPixelCNN(
        levels(data), config.width, config.layers, config.kernel, dropout=config.dropout, dtype=config.dtype
    )
    return fitted(config, data, model)
