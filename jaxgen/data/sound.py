"""Sound as symbols: µ-law, whose steps are fine where samples are small (ITU-T G.711; van den Oord et al., 2016)."""

import numpy as np


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
