"""A transformer over pixels, which attends to the rows just above: the Image Transformer; or sparsely to all.

`jaxgen train image_transformer`; `--attention strided` or `fixed` is the Sparse Transformer.
"""

import dataclasses
from typing import Literal

from head import levels
from jaxgen.experiment import Experiment
from jaxgen.layers.attention_patterns import Causal, Fixed, Local, Pattern, Strided
from jaxgen.models.autoregressive.transformer import Transformer
from pixels import Pixels, fitted

NEEDS = "images"
PAPER = "Parmar et al., 2018; Child et al., 2019"


@dataclasses.dataclass(frozen=True)
class Config(Pixels):
    """Settings."""

    learning_rate: float = 1e-3
    """AdamW's step size at first, falling to 0 along a cosine."""
    width: int = 64
    """Of the residual stream."""
    layers: int = 4
    """Blocks."""
    heads: int = 4
    """Of each block's attention."""
    attention: Literal["local", "strided", "fixed", "dense"] = "local"
    """To the row so far and `rows` above; to a row's length of pixels and the column above; to the row so far and the
    last pixel of each row above; or to everything before."""
    rows: int = 3
    """Above the own one, to which local attention reaches in each layer."""


PRESETS = {"digits": Config(batch_size=32), "mnist": Config(batch_size=8, dropout=0.0, binary=True)}


def experiment(config: Config) -> Experiment:
    """Rows of pixels are the attention's blocks."""
    data = config.load()
    _, columns, channels = data.spec["image"].shape
    row = columns * channels
    patterns: dict[str, Pattern] = {
        "local": Local(row, config.rows * row),
        "strided": Strided(row),
        "fixed": Fixed(row),
        "dense": Causal(),
    }
    model = Transformer(
        levels(data),
        config.width,
        config.layers,
        config.heads,
        patterns[config.attention],
        dropout=config.dropout,
        dtype=config.dtype,
    )
    return fitted(config, data, model)
