"""A check of the pipeline that needs no training: the Gaussian on logits of MNIST scores what the literature prints."""

import os
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy import linalg

from jaxgen.bijectors.logit import Logit
from jaxgen.data import tfds
from jaxgen.losses.flow import bits_per_dim, dequantize

ABSENT = not (Path(os.environ.get("TFDS_DATA_DIR", "")) / "mnist").is_dir()


@pytest.mark.slow
@pytest.mark.optimized
@pytest.mark.real_data
@pytest.mark.skipif(ABSENT, reason="no mnist in TFDS_DATA_DIR")
def test_the_gaussian_on_logits_of_mnist_scores_as_published():
    """Papamakarios et al. 2017 print -1366.9 ± 1.4 nats in logit space; the bits are what that makes of pixels."""
    data = tfds.images("mnist")
    to_logits = jax.jit(lambda x, key: Logit(1e-6).apply({}, dequantize(x, key), method="inverse_and_log_det"))
    images = [data.train[np.arange(50_000)]["image"], data.test[np.arange(10_000)]["image"]]
    (train, _), (test, log_det) = (
        map(np.asarray, to_logits(x.reshape(len(x), 784), jax.random.key(i))) for i, x in enumerate(images)
    )
    mean = train.mean(0, dtype=np.float64)
    centered = train - mean.astype(np.float32)
    factor = linalg.cholesky((centered.T @ centered / len(train)).astype(np.float64), lower=True)
    z = linalg.solve_triangular(factor, (test - mean).T, lower=True)
    nats = -0.5 * (z**2).sum(0) - np.log(np.diag(factor)).sum() - 392 * np.log(2 * np.pi)
    assert nats.mean() == pytest.approx(-1366.9, abs=1.4)
    assert np.mean(bits_per_dim(nats + log_det, (784,))) == pytest.approx(2.01, abs=0.01)
