"""The inception score of posteriors whose mutual information is known."""

import jax
import numpy as np
import pytest

from jaxgen.metrics import inception_score
from jaxgen.metrics.inception_score import finish, init

update = jax.jit(inception_score.update)


def score(p, batch=50):
    state = init(p.shape[1])
    with np.errstate(divide="ignore"):
        log_p = np.log(p).astype(np.float32)
    for start in range(0, len(p), batch):
        state = update(state, log_p[start : start + batch])
    return float(finish(state))


def test_sure_and_even_is_the_number_of_classes_and_anything_without_information_is_one():
    sure = np.eye(4)[np.arange(100) % 4]
    assert score(sure) == pytest.approx(4, rel=1e-5)
    assert score(sure[:50][np.zeros(50, int)]) == pytest.approx(1, rel=1e-5)
    assert score(np.full((100, 4), 0.25)) == pytest.approx(1, rel=1e-5)


def test_a_symmetric_channel_has_the_score_of_its_capacity():
    """A class seen through a channel that errs with probability e: capacity ln 2 - H(e)."""
    e = 0.1
    p = np.where(np.arange(100)[:, None] % 2 == np.arange(2), 1 - e, e)
    capacity = np.log(2) + e * np.log(e) + (1 - e) * np.log(1 - e)
    assert score(p) == pytest.approx(np.exp(capacity), rel=1e-5)


def test_random_posteriors_against_the_definition():
    p = np.random.default_rng(0).dirichlet(np.full(5, 0.3), size=120)
    expected = np.exp(np.mean(np.sum(p * np.log(p / p.mean(0)), axis=1)))
    assert score(p, 50) == pytest.approx(expected, rel=1e-5)
    weight = np.arange(120) < 90
    few = finish(update(init(5), np.log(p).astype(np.float32), weight))
    assert few == pytest.approx(np.exp(np.mean(np.sum(p[:90] * np.log(p[:90] / p[:90].mean(0)), axis=1))), rel=1e-5)
