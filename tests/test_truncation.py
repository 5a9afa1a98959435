"""Truncated noise against scipy's law of it."""

import jax
import numpy as np
import pytest
from scipy import stats

from jaxgen.errors import UserError
from jaxgen.truncation import truncated_normal

COUNT = 200_000


@pytest.mark.parametrize(("threshold", "deviation"), [(2, 0.8796), (1, 0.5396), (0.5, 0.2839), (0.04, 0.02309)])
def test_tails_are_drawn_again_and_not_clipped(threshold, deviation):
    law = stats.truncnorm(-threshold, threshold)
    x = np.asarray(truncated_normal(jax.random.key(0), (COUNT,), threshold), np.float64)
    assert law.std() == pytest.approx(deviation, rel=2e-4)
    assert x.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * COUNT))  # four of its own deviations
    assert np.abs(x).max() <= threshold
    assert stats.kstest(x, law.cdf).statistic < 1.95 / np.sqrt(COUNT)  # at 0.1%: clipping would be 0.02 and more


def test_no_threshold_at_or_below_zero():
    with pytest.raises(UserError, match="truncation is 0.0; it must be above 0"):
        truncated_normal(jax.random.key(0), (2,), 0.0)
