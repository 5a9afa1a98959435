"""Two levels of planted Gaussians over six bits: their files come back, and take the evidence bound's bits."""

import numpy as np
import pytest
from scipy import stats

from jaxgen.codec.hierarchy import Hierarchy, LevelsModel
from jaxgen.errors import UserError

# z2 ~ N(0, I), z1 | z2 ~ N(slope z2, v), x Bernoulli of logits a z1; q(z2 | x) and q(z1 | z2, x) as they come.
SLOPE, V, A = np.array([1.5, -0.8]), np.array([0.5, 0.1]), np.array([[2.0, 0.5, -1, 0, 1, 1], [0, 3.0, 1, -2, 2, 0]])


def prior(above):
    return (np.zeros(2), np.zeros(2)) if not above else (SLOPE * above[0], np.log(V))


def posterior(x, above):
    seen = 0.2 * A @ (2 * x - 1)
    if not above:
        return seen / SLOPE, np.log([0.5, 0.3])
    return 0.5 * (seen + SLOPE * above[0]), np.log(V / 2)


def likelihood(z):
    p = 1 / (1 + np.exp(-z[1] @ A))
    return np.stack([1 - p, p], -1)


MODEL = LevelsModel((2, 2), prior, lambda x: x, posterior, likelihood)


def draws(count, rng):
    top = rng.standard_normal((count, 2))
    z = SLOPE * top + V**0.5 * rng.standard_normal((count, 2))
    return np.array([rng.random(6) < likelihood([None, row])[:, 1] for row in z], np.int32)


def nats(x, z):
    """log q(z|x) - log p(x, z): the bound's negative, at a draw of q."""
    total = -np.log(likelihood(z)[np.arange(6), x]).sum()
    for level in range(2):
        for sign, (mean, log_variance) in ((-1, prior(z[:level])), (1, posterior(x, z[:level]))):
            total += sign * stats.norm.logpdf(z[level], mean, np.exp(log_variance / 2)).sum()
    return total


def bound(x, rng):
    top, below = rng.standard_normal((2, 2))
    mean, log_variance = posterior(x, [])
    z = [mean + np.exp(log_variance / 2) * top]
    mean, log_variance = posterior(x, z)
    return nats(x, [*z, mean + np.exp(log_variance / 2) * below])


def test_a_chain_of_levels_takes_the_bits_of_its_densities_and_of_the_bound():
    x, rng, drawn = draws(1000, np.random.default_rng(0)), np.random.default_rng(1), []
    coder = Hierarchy(MODEL._replace(likelihood=lambda z: drawn.append(z) or likelihood(z)), 6)
    words = coder.encode(x.ravel())
    at = list(drawn)
    np.testing.assert_array_equal(coder.decode(words, x.size), x.ravel())
    costs = np.array([nats(row, z) for row, z in zip(x, at, strict=True)]) / np.log(2)
    assert abs(coder.paid(words) - costs.sum()) < 0.005 * costs.sum()
    bits = np.array([bound(row, rng) for row in x]) / np.log(2)
    assert abs(costs.mean() - bits.mean()) < 4 * (costs - bits).std() / 1000**0.5 < 0.1 * bits.mean()


def test_a_wrong_posterior_on_the_other_machine_does_not_give_the_seed_back():
    x = draws(30, np.random.default_rng(0))
    words = Hierarchy(MODEL, 6).encode(x.ravel())
    other = MODEL._replace(evidence=lambda x: x + 1e-6)
    with pytest.raises(UserError, match="did not give its seed back"):
        Hierarchy(other, 6).decode(words, x.size)
