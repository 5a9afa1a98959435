"""A million samples: counts, their squares and sums of a million numbers come out as they are."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.metrics import classes, frechet, inception_score
from jaxgen.metrics.classes import conditional_accuracy
from jaxgen.metrics.coverage import gaussian_modes, mode_coverage
from jaxgen.metrics.memorization import data_copying

COUNT = 1_000_000
RNG = np.random.default_rng(0)
CLASSES = (np.arange(COUNT) % 7 > 0).astype(np.int32)  # one of them collapsed
POINTS = RNG.normal(3, 1, size=(COUNT, 1)).astype(np.float32)
LOGITS = np.stack([POINTS[:, 0], -POINTS[:, 0]], 1)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def score():
    log_p = log_softmax(LOGITS.astype(float))
    p = np.exp(log_p)
    return np.exp((p * (log_p - np.log(p.mean(0)))).sum(1).mean())


# name -> (found, true)
CASES = {
    "conditional_accuracy": lambda: (conditional_accuracy(CLASSES, np.ones_like(CLASSES)), CLASSES.mean()),
    "modes": lambda: (
        mode_coverage(CLASSES, np.full(2, 0.5))["kl"],
        stats.entropy(np.bincount(CLASSES) / COUNT, [0.5, 0.5]),
    ),
    "high quality": lambda: (
        gaussian_modes(POINTS, np.array([[3.0], [30.0]]), 1.0)["high_quality"],
        (np.abs(POINTS.astype(float) - 3) <= 3).mean(),
    ),
    "data_copying": lambda: (
        data_copying(POINTS[:, 0], POINTS[:, 0] + 1),
        sum(np.searchsorted(np.sort(POINTS[:, 0] + 1), POINTS[:, 0], side).mean() for side in ("left", "right"))
        / 2
        / COUNT,
    ),
    "inception score": lambda: (
        inception_score.finish(inception_score.update(inception_score.init(2), LOGITS)),
        score(),
    ),
    "mean": lambda: (frechet.update(frechet.init(1), POINTS).mean[0], POINTS.mean(dtype=float)),
    "variance": lambda: (frechet.covariance(frechet.update(frechet.init(1), POINTS))[0, 0], POINTS.var(dtype=float)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_figures_of_a_million_samples(name):
    found, true = CASES[name]()
    assert float(found) == pytest.approx(float(true), rel=2e-6)


def test_pairs_of_a_million_samples_of_one_class(monkeypatch):
    """Their distances, known to be 2, are not computed: only what is made of them."""
    monkeypatch.setattr(classes, "by_blocks", lambda _, features, *__: jnp.full(len(features), 2.0 * (COUNT - 1)))
    (found,) = classes.intra_class_diversity(POINTS, np.zeros_like(CLASSES), classes=1)
    assert float(found) == pytest.approx(2, rel=1e-6)
