"""A transformer over bytes: of Python's own standard library, or of any text.

`jaxgen train transformer`, or with `--data FILE` at nanoGPT's setting for CPUs.
"""

import dataclasses
import functools

from jaxgen.experiment import Experiment
from jaxgen.methods.autoregressive.deep_supervision import deeply_supervised
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.models.autoregressive.character_transformer import CharacterTransformer
from jaxgen.models.autoregressive.transformer import TENSOR, Transformer
from symbols import LEVELS, Text, fitted

NEEDS = "text"
PAPER = "Radford et al., 2019; Su et al., 2021"


@dataclasses.dataclass(frozen=True)
class Config(Text):
    """Settings."""

    width: int = 128
    """Of the residual stream."""
    layers: int = 4
    """Blocks."""
    heads: int = 4
    """Of each block's attention."""
    dropout: float = 0.0
    """Share of embeddings and branches that is dropped."""
    auxiliary: bool = False
    """Let every layer predict, the lower ones for a part of the training, as Al-Rfou et al. (2018) do."""
    remat: bool = False
    """Keep only what passes between blocks for the gradient."""


PRESETS = {"stdlib": Config(), "other": Config(batch_size=12, length=64)}


def experiment(config: Config) -> Experiment:
    """Every byte from all of the window before it."""
    model = (CharacterTransformer if config.auxiliary else Transformer)(
        LEVELS,
        config.width,
        config.layers,
        config.heads,
        dropout=config.dropout,
        remat=config.remat,
        dtype=config.dtype,
    )
    likelihood = functools.partial(deeply_supervised, steps=config.steps) if config.auxiliary else maximum_likelihood
    fit = fitted(config, config.load(), model, field="text", likelihood=likelihood)
    return dataclasses.replace(fit, sharding=TENSOR)
