"""What groups that a model finds are held against: as many clusters of pixels."""

import numpy as np
from sklearn.cluster import KMeans

from jaxgen.data.source import Dataset


def k_means(count: int, data: Dataset) -> np.ndarray:
    """The cluster of each held-out image, `[examples]`, by the nearest of `count` means of training images.

    Lloyd's algorithm from ten starts (scikit-learn), on at most 10,000 images.
    """
    train = data.train[np.arange(min(len(data.train), 10_000))]["image"]
    test = data.test[np.arange(len(data.test))]["image"]
    means = KMeans(count, n_init=10, random_state=0)  # pyright: ignore[reportArgumentType]
    return np.asarray(means.fit(train.reshape(len(train), -1)).predict(test.reshape(len(test), -1)))
