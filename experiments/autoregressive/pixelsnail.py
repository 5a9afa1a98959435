"""PixelSNAIL: causal convolutions, and attention to all pixels before.

`jaxgen train pixelsnail`; on MNIST with pixels of 0 and 1, statically binarized.
"""

import dataclasses

from head import levels
from jaxgen.experiment import Experiment
from jaxgen.models.autoregressive.pixelsnail import PixelSNAIL
from pixels import Pixels, fitted

NEEDS = "images"
PAPER = "Chen et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Pixels):
    """Settings."""

    width: int = 32
    """Channels."""
    blocks: int = 2
    """Blocks, each with an attention."""
    residuals: int = 2
    """Residual blocks in each."""
    heads: int = 2
    """Of the attention; they divide half the width."""
    components: int = 10
    """Logistics in a pixel's mixture."""


PRESETS = {
    "digits": Config(dropout=0.5),
    "mnist": Config(batch_size=16, dropout=0.0, binary=True, components=1),
}


def experiment(config: Config) -> Experiment:
    """Convolutions for what is near, attention for what is far."""
    data = config.load()
    model = PixelSNAIL(
        levels(data),
        config.components,
        config.width,
        config.blocks,
        config.residuals,
        config.heads,
        dropout=config.dropout,
        dtype=config.dtype,
    )
    return fitted(config, data, model)
