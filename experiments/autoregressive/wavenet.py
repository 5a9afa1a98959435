"""WaveNet: sound sample by sample, of computed notes or of WAV files.

`jaxgen train wavenet`, or with `--data FOLDER`
"""

import dataclasses

from jaxgen.data.notes import notes
from jaxgen.data.sound import from_mu_law, sound
from jaxgen.experiment import Experiment
from jaxgen.models.autoregressive.wavenet import WaveNet
from jaxgen.report.sequences import spectrogram_drawing
from symbols import LEVELS, Symbols, fitted

NEEDS = "sound"
PAPER = "van den Oord et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Symbols):
    """Settings."""

    data: str = "notes"
    """Notes that are computed; or the path of a WAV file, of which the last tenth is held out, or of a folder of
    them."""
    batch_size: int = 4
    """Windows in a batch."""
    learning_rate: float = 3e-3
    """AdamW's highest step size, after a hundred steps of warm-up and before a cosine to a tenth."""
    length: int = 1024
    """Samples of a window."""
    width: int = 24
    """Channels of the layers."""
    skip: int = 128
    """Channels of the sum over layers."""
    layers: int = 10
    """Of which each looks back twice as far as the one before."""


PRESETS = {"notes": Config(), "other": Config()}


def experiment(config: Config) -> Experiment:
    """Symbols of the µ-law, each from the 2^layers samples before it."""
    dilations = tuple(2**layer for layer in range(config.layers))
    model = WaveNet(LEVELS, config.width, config.skip, dilations, dtype=config.dtype)
    data = notes(length=config.length) if config.data == "notes" else sound(config.data, length=config.length)
    made = fitted(config, data, model, field="sound")
    return dataclasses.replace(made, drawings={"spectrograms": spectrogram_drawing(made.method, from_mu_law)})
