"""Planted flows of the plane: their files come back and take the dequantized model's bits."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from jaxgen.codec import normals
from jaxgen.codec.entropy import Stack
from jaxgen.codec.local_bits_back import LocalBitsBack, LocalFlow
from jaxgen.errors import UserError

LEVELS = 7
MIX = np.array([[0.5, 0.35], [-0.1, 0.4]])  # after logits and a bend, far from orthogonal


def to_base(x):
    y = logit(x)
    bent = np.array([y[0], y[1] + np.sin(2 * y[0])])
    jacobian = MIX @ np.array([[1, 0], [2 * np.cos(2 * y[0]), 1]])
    return MIX @ bent, np.linalg.qr(jacobian.T)[1].T


def to_data(z):
    bent = np.linalg.solve(MIX, z)
    return expit([bent[0], bent[1] - np.sin(2 * bent[0])])


FLOW = LocalFlow(to_base, to_data)


def draws(count, rng):
    x = np.array([to_data(z) for z in rng.standard_normal((count, 2))])
    return np.int32(np.floor(LEVELS * x))


def density_bits(place):
    """-log2 p of an example dequantized to a place: the bits of its cell."""
    z, factor = to_base(place)
    nats = stats.norm.logpdf(z).sum() + np.log(np.abs(np.diagonal(factor)) / (place * (1 - place))).sum()
    return 2 * np.log2(LEVELS) - nats / np.log(2)


def test_a_chain_comes_back_and_takes_the_bits_of_the_dequantized_density():
    x, places = draws(3000, np.random.default_rng(0)), []
    coder = LocalBitsBack(FLOW._replace(to_base=lambda place: places.append(place) or to_base(place)), 2, LEVELS)
    words = coder.encode(x.ravel())
    at = np.array(places)
    np.testing.assert_array_equal(coder.decode(words, x.size), x.ravel())
    np.testing.assert_array_equal(np.floor(at * LEVELS), x)
    assert stats.kstest((at * LEVELS % 1).ravel(), "uniform").pvalue > 0.01
    bits = sum(map(density_bits, at))
    assert abs(coder.paid(words) - bits) < 0.005 * bits


def test_another_machine_s_numbers_are_refused():
    words = LocalBitsBack(FLOW, 2, LEVELS).encode(draws(50, np.random.default_rng(0)).ravel())
    other = FLOW._replace(to_data=lambda z: to_data(z) * (1 - 1e-6))
    with pytest.raises(UserError, match="the numbers here are not those"):
        LocalBitsBack(other, 2, LEVELS).decode(words, 100)
    for length in (0, 1, 5, 200):
        nothing = np.random.default_rng(length).integers(1, 1 << 32, length, np.uint32)
        with pytest.raises(UserError, match="the numbers here are not those"):
            LocalBitsBack(FLOW, 2, LEVELS).decode(nothing, 100)


@pytest.mark.parametrize("std", [0.03, 1.0, 40.0, 3e4, 1e7])
def test_whole_numbers_take_the_bits_of_their_normal_however_wide(std):
    rng = np.random.default_rng(0)
    mean = rng.normal(0, 1e6, 3000)
    x = np.int64(np.round(rng.normal(mean, std)))
    seed = rng.integers(1, 1 << 32, 4, np.uint32)
    stack = Stack(seed)
    normals.push(stack, x, mean, np.full(3000, std))
    bits = -np.log2(stats.norm.cdf(x + 0.5, mean, std) - stats.norm.cdf(x - 0.5, mean, std)).sum()
    assert abs(32 * (len(stack.words()) - 4) - bits) < 0.002 * bits + 128
    np.testing.assert_array_equal(normals.pop(stack, mean, np.full(3000, std)), x)
    np.testing.assert_array_equal(stack.words(), seed)


def test_what_is_far_out_is_spelled_and_what_is_no_number_refused():
    stack, mean = Stack(np.uint32([1, 2])), np.array([0.3, -7.0, 0.0])
    x = np.array([10**9, -(10**6), 3])
    normals.push(stack, x, mean, np.ones(3))
    np.testing.assert_array_equal(normals.pop(stack, mean, np.ones(3)), x)
    np.testing.assert_array_equal(stack.words(), [1, 2])
    for wrong in (np.nan, np.inf, 1e30):
        with pytest.raises(UserError, match="not finite"):
            normals.push(stack, x, np.full(3, wrong), np.ones(3))
    with pytest.raises(UserError, match="so far out"):
        normals.push(stack, np.array([1 << 50]), np.zeros(1), np.ones(1))
