"""How like the truth a picture of a person is, judged by the colours that the person is known to wear.

Structural similarity stands beside: on a bright ground it hardly tells a person from none.
"""

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter

from jaxgen.data.figures import GARMENTS

_WORN = range(1, max(GARMENTS) + 1)  # skin, shirt, trousers; 0 is the ground


def recognised(image: np.ndarray, truth: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Which garment each pixel of an image shows: the one that has the nearest colour in the right picture.

    Args:
      image: `[height, width, 3]`.
      truth: the right picture, of the same shape.
      parts: of the right picture, numbers in `PARTS`, `[height, width]`.

    Returns:
      Numbers as in `GARMENTS`, `[height, width]`.
    """
    worn = np.asarray(GARMENTS)[parts]
    colours, first = np.unique(truth.reshape(-1, 3).round(3), axis=0, return_index=True)
    distance = np.square(image[..., None, :] - colours).sum(-1)
    return worn.ravel()[first][distance.argmin(-1)]


def likeness(images: np.ndarray, truths: np.ndarray, parts: np.ndarray) -> Mapping[str, float]:
    """Of images, how near each is to the right picture of the right person in the right pose; means.

    Args:
      images: `[batch, size, size, 3]` in [-1, 1].
      truths: the right pictures, of the same shape.
      parts: of the right pictures, `[batch, size, size]`.

    Returns:
      "miou": intersection over union of what shows a garment and what should, over the ground and the garments.
      "masked_l1": the absolute difference on the person. "colour_error": that of garments' mean colours where they
      should be. "place_error": how far a garment's centre is from where it should be, pixels; half a side where nothing
      shows it. "ssim": structural similarity.
    """
    found = [_one(*each) for each in zip(images, truths, parts, strict=True)]
    return {name: float(np.mean([each[name] for each in found])) for name in found[0]}


def _one(image: np.ndarray, truth: np.ndarray, parts: np.ndarray) -> dict[str, float]:
    seen, worn = recognised(image, truth, parts), np.asarray(GARMENTS)[parts]
    there = [garment for garment in _WORN if (worn == garment).any()]
    overlap = [((seen == g) & (worn == g)).sum() / ((seen == g) | (worn == g)).sum() for g in (0, *there)]
    colours = [np.abs((image - truth)[worn == g].mean(0)).mean() for g in there]
    places = [
        np.linalg.norm(_centre(seen == g) - _centre(worn == g)) if (seen == g).any() else len(image) / 2 for g in there
    ]
    return {
        "miou": np.mean(overlap),
        "masked_l1": np.abs(image - truth)[parts > 0].mean(),
        "colour_error": np.mean(colours),
        "place_error": np.mean(places),
        "ssim": ssim(image, truth),
    }


def _centre(where: np.ndarray) -> np.ndarray:
    return np.argwhere(where).mean(0)


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two images `[height, width, channels]` in [-1, 1]: Wang et al., 2004, equation 13.

    Means over the windows, Gaussian of a deviation of 1.5 pixels, and the channels.
    """
    a, b = ((np.asarray(x, np.float64) + 1) / 2 for x in (a, b))

    def mean(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, (1.5, 1.5, 0), truncate=3.5)

    u, v = mean(a), mean(b)
    same = (2 * u * v + 0.01**2) * (2 * (mean(a * b) - u * v) + 0.03**2)
    both = (u**2 + v**2 + 0.01**2) * (mean(a * a) - u**2 + mean(b * b) - v**2 + 0.03**2)
    return float((same / both).mean())
