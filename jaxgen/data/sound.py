"""Sound as symbols: µ-law, whose steps are fine where samples are small (ITU-T G.711; van den Oord et al., 2016)."""

import functools
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgen.data.source import Dataset
from jaxgen.data.windows import windows_of
from jaxgen.errors import UserError

SUFFIXES = (".wav",)
_REMEDY = "mend it, take it away, or set skip_bad"


def sound(
    path: Path | str,
    *,
    length: int,
    rate: int | None = None,
    held_out: float = 0.1,
    skip_bad: bool = False,
    say: Callable[[str], None] = functools.partial(print, file=sys.stderr),
) -> Dataset:
    """Windows of a WAV file, whose end is held out, or of a folder's, of which some are; channels are averaged.

    Fields: "sound" uint8 `[length]`, symbols of `mu_law`.

    Args:
      path: a file of linear PCM with 8, 16, 24 or 32 bits a sample, or a folder of such.
      length: samples of a window.
      rate: samples a second that each file must have; None is the first file's.
      held_out: share of the file, or of the files.
      skip_bad: go on without files that cannot be read, and say which and how many.
      say: takes those sentences.

    Raises:
      UserError: length or share make no sense; when first read, a file cannot be read, or has another rate.
    """
    rates = set[int]() if rate is None else {rate}
    bad: list[str] = []

    def read(file: Path) -> np.ndarray:
        try:
            samples, found = read_wav(file)
            if rates and found not in rates:
                raise UserError(
                    f"{file} has {found} samples a second where others have {min(rates)}; resample it, or set skip_bad."
                )
        except UserError as error:
            if not skip_bad:
                raise
            bad.append(str(error))
            say(f"{error} It is file {len(bad)} that is left out.")
            return np.zeros(0, np.uint8)
        rates.add(found)
        return mu_law(samples).astype(np.uint8)

    return windows_of(Path(path), read, suffixes=SUFFIXES, field="sound", length=length, share=held_out)


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """Samples in [-1, 1], float32 `[n]`, the mean of the channels, and how many there are a second.

    Raises:
      UserError: it is no WAV file of linear PCM, is cut short, or claims more than it holds.
    """
    if not path.is_file():
        raise UserError(f"{path} is no file; {_REMEDY}.")
    try:
        with wave.open(str(path), "rb") as opened:
            channels, width, rate, count = opened.getparams()[:4]
            if count * channels * width > path.stat().st_size:
                raise wave.Error(f"its header claims {count} samples, which it does not hold")
            content = opened.readframes(count)
    except (wave.Error, EOFError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().rstrip(".") or "it ends too early"
        raise UserError(f"{path} is no WAV file of linear PCM ({reason}); {_REMEDY}.") from error
    if not rate or not channels or not 1 <= width <= 4 or len(content) != count * channels * width:
        raise UserError(f"{path} is damaged: its header and its {len(content)} bytes of sound disagree; {_REMEDY}.")
    raw = np.frombuffer(content, np.uint8).reshape(-1, width)
    # The highest bytes of 32-bit numbers, little-endian; 8 bits alone have their zero in the middle.
    wide = np.zeros((len(raw), 4), np.uint8)
    wide[:, 4 - width :] = raw ^ 0x80 if width == 1 else raw
    samples = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    return samples.reshape(-1, channels).mean(1), rate


def mu_law(samples: np.ndarray, levels: int = 256) -> np.ndarray:
    """Samples in [-1, 1] to the nearest of `levels` symbols: `f(x) = sign(x)·ln(1 + µ|x|) / ln(1 + µ)`, µ = levels - 1.

    Args:
      samples: of any shape; what lies beyond is clipped.
      levels: number of symbols.

    Returns:
      int32 in 0 ... `levels - 1`, of the same shape.
    """
    x, mu = np.clip(np.asarray(samples, np.float64), -1, 1), levels - 1
    compressed = np.sign(x) * np.log1p(mu * np.abs(x)) / np.log1p(mu)
    return np.floor((compressed + 1) / 2 * mu + 0.5).astype(np.int32)


def from_mu_law(symbols: np.ndarray, levels: int = 256) -> np.ndarray:
    """Symbols to samples in [-1, 1], float32: the inverse of `mu_law` up to its steps."""
    mu = levels - 1
    compressed = 2 * np.asarray(symbols, np.float64) / mu - 1
    return (np.sign(compressed) * np.expm1(np.abs(compressed) * np.log1p(mu)) / mu).astype(np.float32)
