"""A recurrent network over bytes: of Python's own standard library, or of any text.

`jaxgen train lstm`, or with `--data FILE`
"""

import dataclasses

from jaxgen.experiment import Experiment
from jaxgen.models.autoregressive.lstm import LSTM
from symbols import LEVELS, Text, fitted

NEEDS = "text"
PAPER = "Graves, 2013"


@dataclasses.dataclass(frozen=True)
class Config(Text):
    """Settings."""

    batch_size: int = 32
    """Windows in a batch."""
    learning_rate: float = 3e-3
    """AdamW's highest step size, after a hundred steps of warm-up and before a cosine to a tenth."""
    length: int = 64
    """Symbols of a window, before each of which the network has heard nothing."""
    width: int = 256
    """Of the embedding and of every layer's state."""
    layers: int = 1
    """Of the stack."""
    dropout: float = 0.0
    """Share of what goes into a layer that is dropped."""


PRESETS = {"stdlib": Config(), "other": Config()}


def experiment(config: Config) -> Experiment:
    """Every byte from a state that has heard the window before it."""
    model = LSTM(LEVELS, config.width, config.layers, dropout=config.dropout, dtype=config.dtype)
    return fitted(config, config.load(), model, field="text")
