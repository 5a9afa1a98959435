"""What moments tell of a stroke without a network."""

import numpy as np

from jaxgen.core import Array


def shear(images: Array) -> Array:
    """How many pixels further to the right ink gets with every pixel down, `[batch]`: the column regressed on the row.

    Args:
      images: `[batch, height, width, channels]` in [-1, 1], -1 being no ink.
    """
    ink = images.mean(-1) + 1
    ink = ink / ink.sum((1, 2), keepdims=True).clip(1e-6)
    down, across = np.mgrid[: images.shape[1], : images.shape[2]]

    def mean(x: Array) -> Array:
        return (ink * x).sum((1, 2))

    covariance = mean(down * across) - mean(down) * mean(across)
    return covariance / (mean(down**2) - mean(down) ** 2).clip(1e-6)
