"""Resampling by a filter, against SciPy's `upfirdn` along either axis, and its adjoints."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.signal import upfirdn

from jaxgen.errors import UserError
from jaxgen.layers import fir
from jaxgen.layers.resample import enlarge, mean_pool

X = np.random.default_rng(0).normal(size=(2, 6, 8, 3))
TAPS = [(1, 1), (1, 3, 3, 1), (1, 2), (1, 2, 3, 4, 5, 7)]


def scipy(x, taps, up=1, down=1, gain=1.0, start=0, size=None):
    """Both axes, by zeros outside; `start` is the first sample of SciPy's full result that is kept."""
    h = np.asarray(taps) / np.sum(taps) * gain**0.5
    for axis in (1, 2):
        full = upfirdn(h, x, up, 1, axis=axis)
        full = np.pad(full, [(0, 64) if a == axis else (0, 0) for a in range(4)])
        length = x.shape[axis] * up // down
        x = full.take(start + down * np.arange(size or length), axis)
    return x


@pytest.mark.parametrize("taps", TAPS, ids=str)
def test_doubling_and_halving_are_upfirdn(x64, taps):
    half = len(taps) // 2
    # Centres: the filter's middle stands on the middle of each doubled pixel, or of each pair.
    np.testing.assert_allclose(fir.double(X, taps), scipy(X, taps, up=2, gain=4.0, start=half - 1), atol=1e-12)
    np.testing.assert_allclose(fir.halve(X, taps), scipy(X, taps, down=2, start=half), atol=1e-12)


@pytest.mark.parametrize("taps", [(1, 2, 4), (1, 3, 3, 1)], ids=str)
def test_blurring_is_a_convolution(x64, taps):
    n = len(taps)
    np.testing.assert_allclose(fir.blur(X, taps, gain=3.0, pad=(n - 1, 0)), scipy(X, taps, gain=3.0), atol=1e-12)


def test_two_taps_repeat_and_average(x64):
    np.testing.assert_allclose(fir.double(X, (1, 1)), enlarge(X), atol=1e-12)
    np.testing.assert_allclose(fir.halve(X, (1, 1)), mean_pool(X), atol=1e-12)


def test_constants_stay_but_at_the_edge(x64):
    ones = np.ones((1, 8, 8, 1))
    np.testing.assert_allclose(fir.double(ones)[:, 1:-1, 1:-1], 1, atol=1e-12)
    np.testing.assert_allclose(fir.halve(ones)[:, 1:-1, 1:-1], 1, atol=1e-12)
    np.testing.assert_allclose(fir.blur(ones)[:, 2:-1, 2:-1], 1, atol=1e-12)


def test_the_highest_frequency_does_not_fold_onto_the_lowest(x64):
    stripes = np.broadcast_to((-1.0) ** np.arange(8)[:, None, None], (1, 8, 8, 1))
    assert np.abs(fir.halve(stripes)[:, 1:-1, 1:-1]).max() < 1e-12
    assert np.abs(stripes[:, ::2, ::2]).min() == 1  # as dropping every other pixel would


@pytest.mark.quick("blur")
@pytest.mark.parametrize("function", [fir.blur, fir.double, fir.halve])
def test_gradients_in_both_modes(x64, function):
    check_grads(function, (X[:1, :4, :4],), order=1, modes=["fwd", "rev"])


def test_doubling_is_four_times_halving_turned_round(x64):
    """With symmetric taps <double(x), y> = 4 <x, halve(y)>."""
    (back,) = jax.linear_transpose(fir.double, X)(jnp.asarray(enlarge(X)))
    np.testing.assert_allclose(back, 4 * fir.halve(enlarge(X)), atol=1e-12)


def test_an_odd_filter_has_no_middle_between_pixels():
    with pytest.raises(UserError, match="taps are 3 in number"):
        fir.double(X, (1, 2, 1))
