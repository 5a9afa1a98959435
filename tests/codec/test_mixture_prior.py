"""Latents under a planted mixture of Gaussians: their files come back, and pay for the mixture, not for a component."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from jaxgen.codec.mixture_prior import MixtureModel, MixturePrior
from jaxgen.errors import UserError

WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS, VARIANCES = np.array([[0.0, 1.0], [2.0, -1.0], [0.3, 1.2]]), np.array([[1.0, 0.3], [0.2, 0.5], [2.0, 1.0]])
A = np.array([[2.0, 0.5, -1, 0, 1, 1], [0, 3.0, 1, -2, 2, 0]])


def generate(z):
    p = 1 / (1 + np.exp(-z @ A))
    return np.stack([1 - p, p], -1)


def infer(x):
    return 0.3 * A @ (2 * x - 1) + [0.5, 0.2], np.log([0.4, 0.3])


MODEL = MixtureModel(np.log(WEIGHTS) + 7, MEANS, np.log(VARIANCES), infer, generate)


def draws(count, rng):
    k = rng.choice(3, count, p=WEIGHTS)
    z = MEANS[k] + VARIANCES[k] ** 0.5 * rng.standard_normal((count, 2))
    return np.array([rng.random(6) < generate(row)[:, 1] for row in z], np.int32)


def log_joint(z):
    return np.log(WEIGHTS) + stats.norm.logpdf(z, MEANS, VARIANCES**0.5).sum(-1)


def test_a_chain_pays_for_the_whole_mixture():
    x, drawn = draws(1000, np.random.default_rng(0)), []
    coder = MixturePrior(MODEL._replace(generate=lambda z: drawn.append(z) or generate(z)), 6)
    words = coder.encode(x.ravel())
    at = list(drawn)
    np.testing.assert_array_equal(coder.decode(words, x.size), x.ravel())

    def bits(row, z, log_prior):
        mean, log_variance = infer(row)
        log_q = stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum()
        return (log_q - log_prior - np.log(generate(z)[np.arange(6), row]).sum()) / np.log(2)

    expected = sum(bits(row, z, logsumexp(log_joint(z))) for row, z in zip(x, at, strict=True))
    assert abs(coder.paid(words) - expected) < 0.005 * expected
    likeliest = sum(bits(row, z, log_joint(z).max()) for row, z in zip(x, at, strict=True))
    assert likeliest > 1.03 * expected


def test_bins_have_equal_mass_under_each_latent_s_prior():
    coder = MixturePrior(MODEL, 6, bits=4)
    np.testing.assert_allclose(np.einsum("k,klb->lb", WEIGHTS, coder._masses), np.full((2, 16), 1 / 16), atol=1e-9)
    assert (np.diff(coder._edges) > 0).all()
    assert ((coder._edges[:, :-1] < coder._medians) & (coder._medians < coder._edges[:, 1:])).all()


def test_components_are_drawn_from_their_exact_posterior():
    coder = MixturePrior(MODEL, 6)
    for bins in np.random.default_rng(0).integers(100, 900, (20, 2)):
        p, expected = coder._component(bins)[0], np.exp(log_joint(coder._place(bins)))
        np.testing.assert_allclose(p / p.sum(), expected / expected.sum(), atol=1e-3)


def test_another_machine_s_numbers_do_not_give_the_seed_back():
    x = draws(30, np.random.default_rng(0))
    words = MixturePrior(MODEL, 6).encode(x.ravel())
    with pytest.raises(UserError, match="did not give its seed back"):
        MixturePrior(MODEL._replace(means=MEANS + 1e-4), 6).decode(words, x.size)
