"""Samples that are no pictures: bytes as the text that they are, sound as its frequencies over time."""

import io
import wave
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxgen.core import Drawing, Method, View
from jaxgen.errors import UserError
from jaxgen.report.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SOUNDS = 4
_WINDOW = 128  # samples
_RANGE = 60.0  # decibels below the loudest that are drawn
_PAUSE = 0.25  # seconds between one sound and the next


def as_symbols(samples: Any, kind: str) -> np.ndarray:
    """Samples as symbols, uint8 `[count, length]`.

    Args:
      samples: whole numbers from 0 to 255, `[count, length]`, of any type.
      kind: what they are taken for.

    Raises:
      UserError: they are none.
    """
    values = np.asarray(samples)
    if values.ndim != 2 or not np.array_equal(values, np.clip(np.round(values), 0, 255)):
        raise UserError(f"samples of shape {list(values.shape)} are no {kind}; write a .png or an .npz file instead.")
    return values.astype(np.uint8)


def as_text(samples: Any) -> str:
    """Samples of bytes, one after the other with a line between; what is no UTF-8 is shown as �.

    Args:
      samples: as of `as_symbols`.

    Raises:
      UserError: they are no bytes.
    """
    texts = (row.tobytes().decode(errors="replace") for row in as_symbols(samples, "text"))
    return f"\n{'-' * 40}\n".join(texts) + "\n"


def as_wav(sounds: np.ndarray, rate: int) -> bytes:
    """A WAV file of sounds one after the other, a quarter of a second between: 16 bits a sample, one channel.

    Args:
      sounds: `[count, length]`, in [-1, 1]; what lies beyond is clipped.
      rate: samples a second.
    """
    apart = np.pad(np.clip(sounds, -1, 1), [(0, 0), (0, round(_PAUSE * rate))])
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setparams((1, 2, rate, 0, "NONE", ""))
        opened.writeframes(np.rint(32767 * apart).astype("<i2").tobytes())
    return file.getvalue()


def spectrogram(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How loud each frequency is over time, by windows of 128 samples that overlap by half.

    Args:
      samples: `[length]`, in [-1, 1].

    Returns:
      Frequencies in cycles a sample `[65]`, the windows' middles in samples `[windows]`, and decibels `[65, windows]`.
    """
    from scipy import signal  # imported late: most draw nothing

    frequency, time, power = signal.spectrogram(samples, nperseg=_WINDOW, noverlap=_WINDOW // 2, window="hann")
    return frequency, time, 10 * np.log10(power + 1e-12)


def spectrogram_drawing(method: Method, heard: Callable[[np.ndarray], np.ndarray]) -> Drawing:
    """The drawing of four of a method's samples, each above its frequencies.

    Args:
      method: of symbols `[count, length]`, 128 at least.
      heard: symbols `[length]` to sound in [-1, 1], such as `jaxgen.data.sound.from_mu_law`.
    """

    def compute(view: View) -> jax.Array:
        return method.sample(view, jax.random.key(0), _SOUNDS)

    def draw(symbols: np.ndarray) -> "Figure":
        figure = new_figure(7, 5)
        for index, row in enumerate(symbols):
            samples = heard(row)
            frequency, time, decibels = spectrogram(samples)
            above, below = (figure.add_subplot(4, 2, 4 * (index // 2) + index % 2 + 1 + 2 * lower) for lower in (0, 1))
            above.plot(samples, color="#2563b0", linewidth=0.5)
            above.set(xlim=(0, len(samples)), ylim=(-1, 1), xticks=[])
            loudest = decibels.max()
            below.pcolormesh(time, frequency, decibels, vmin=loudest - _RANGE, vmax=loudest, cmap="magma")
            below.set(xlim=(0, len(samples)), ylabel="cycles a sample" if index % 2 == 0 else "")
            for axes in (above, below):
                axes.tick_params(length=0, labelsize=6, labelcolor="#666")
        return figure

    return Drawing(compute, draw)
