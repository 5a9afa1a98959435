"""PixelCNN++: gated residual blocks at several resolutions, and a mixture of logistics for each pixel.

`jaxgen train pixelcnn_pp`
"""

import dataclasses

from head import levels
from jaxgen.experiment import Experiment
from jaxgen.models.autoregressive.pixelcnn_pp import PixelCNNPP
from pixels import Pixels, fitted

NEEDS = "images, whose sides halvings divide"
PAPER = "Salimans et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Pixels):
    """Settings."""

    width: int = 32
    """Channels of both streams."""
    blocks: int = 1
    """Residual blocks of a resolution."""
    scales: int = 2
    """Resolutions, each half of the one before."""
    components: int = 10
    """Logistics in a pixel's mixture."""


PRESETS = {"digits": Config(dropout=0.5), "mnist": Config(batch_size=16, dropout=0.0)}


def experiment(config: Config) -> Experiment:
    """Levels are many or few: the logistics' bins are the data's own."""
    data = config.load()
    model = PixelCNNPP(
        levels(data),
        config.components,
        config.width,
        config.blocks,
        config.scales,
        dropout=config.dropout,
        dtype=config.dtype,
    )
    return fitted(config, data, model)
