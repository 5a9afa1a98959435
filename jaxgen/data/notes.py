"""Notes that are computed: harmonics of a pitch that die away, and noise, whose entropy no model gets below."""

import numpy as np

from jaxgen.data.computed import generated
from jaxgen.data.sound import from_mu_law, mu_law
from jaxgen.data.source import Dataset
from jaxgen.fields import Field

RATE = 8000  # samples a second
HARMONICS = 4
NOISE = 0.005  # standard deviation, of a wave that is within ±1


def notes(*, length: int = 1024, test: int = 64) -> Dataset:
    """Notes of pitches from 100 to 800 Hz, evenly by octaves, that begin anywhere in their fall and fall on.

    Fields: "sound" uint8 `[length]`, symbols of `jaxgen.data.sound.mu_law`, 8,000 a second; "clean", float32
    `[length]`, the samples before noise, from which the entropy of the rest follows (`noise_bits`).
    """

    def example(rng: np.random.Generator) -> dict[str, np.ndarray]:
        time = np.arange(length) / RATE
        pitch = 100 * 8 ** rng.uniform()
        strengths = rng.uniform(0, 1, HARMONICS) / np.arange(1, HARMONICS + 1)
        phases = rng.uniform(0, 2 * np.pi, HARMONICS)
        waves = np.cos(2 * np.pi * pitch * np.arange(1, HARMONICS + 1) * time[:, None] + phases) @ strengths
        clean = 0.9 * np.exp(-(rng.uniform(0, 0.2) + time) / 0.2) * waves / strengths.sum()
        heard = mu_law(clean + NOISE * rng.normal(size=length))
        return {"sound": heard.astype(np.uint8), "clean": clean.astype(np.float32)}

    return generated("notes", example, test=test, fields={"sound": Field(0, 255, 256), "clean": Field()})


def noise_bits(clean: np.ndarray) -> np.ndarray:
    """Entropy in bits of each symbol, given the samples before noise: no model's bits per sample are fewer on average.

    Args:
      clean: samples in [-1, 1], of any shape.

    Returns:
      float64, of the same shape.
    """
    from scipy import special, stats  # imported late: training does without

    edges = from_mu_law(np.arange(1, 256) - 0.5)
    below = stats.norm.cdf((edges - np.asarray(clean, np.float64)[..., None]) / NOISE)
    ends = [(0, 0)] * np.ndim(clean)
    below = np.pad(np.pad(below, [*ends, (1, 0)]), [*ends, (0, 1)], constant_values=1)
    return np.sum(special.entr(np.diff(below)), axis=-1) / np.log(2)
