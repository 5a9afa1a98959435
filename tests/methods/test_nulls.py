"""What a density costs without a network: against SciPy, quadrature, the probabilities of all sequences and a chain."""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from jaxgen.data.embedded import digits
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.fields import Field, image
from jaxgen.likelihoods import bernoulli, discretized_logistic
from jaxgen.methods.nulls import density_nulls, gaussian, independent, ngrams

RNG = np.random.default_rng(0)


def dataset(field, train, test):
    splits = (Source("own", "", lambda x=x: {field: x[:1]}, lambda x=x: Memory({field: x})) for x in (train, test))
    return Dataset(*splits)


def test_a_gaussian_is_scipy_s():
    train, test = (RNG.normal(size=(n, 4)) @ RNG.normal(size=(4, 4)) + 3 for n in (1500, 1100))  # more than one batch
    truth = stats.multivariate_normal(train.mean(0), np.cov(train.T, bias=True))
    assert gaussian(train, test, cells=False) == pytest.approx(-truth.logpdf(test).mean(), rel=1e-9)
    found = density_nulls("x", Field())(dataset("x", train, test))
    assert found["Gaussian"]["log_likelihood_nats"] == pytest.approx(truth.logpdf(test).mean(), rel=1e-9)
    assert not density_nulls("x", Field())(dataset("x", train[:, [0, 0]], test[:, [0, 0]]))  # a plane has no density


def test_a_gaussian_of_whole_numbers_is_that_of_all_their_noise():
    """Three nodes of Gauss and Legendre integrate a logarithm of a Gaussian over its cell exactly, in both."""
    train, test = (RNG.integers(0, 6, (n, 2)).cumsum(1) for n in (300, 50))
    nodes, weights = np.polynomial.legendre.leggauss(3)
    cell = [
        (np.array(u), np.prod(w))
        for u, w in zip(
            itertools.product((nodes + 1) / 2, repeat=2), itertools.product(weights / 2, repeat=2), strict=True
        )
    ]
    mean = sum(w * (train + u).mean(0) for u, w in cell)
    cov = sum(w * ((train + u - mean).T @ (train + u - mean)) for u, w in cell) / len(train)
    truth = -sum(w * stats.multivariate_normal(mean, cov).logpdf(test + u).mean() for u, w in cell)
    assert gaussian(np.uint8(train), np.uint8(test), cells=True) == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("signed", [False, True])
def test_the_digits_figures_are_those_found_elsewhere(signed):
    """2.4356 and 2.96 bits/dim; and images in [-1, 1] are the same levels."""
    data, takes = digits(), image(17)
    if signed:
        data, takes = (
            data.map(lambda batch: {"image": np.float32(batch["image"]) / 8 - 1}),
            discretized_logistic(17).takes,
        )
    found = density_nulls("image", takes)(data)
    assert found["independent pixels"]["bits_per_dim"] == pytest.approx(2.4356, abs=5e-4)
    assert found["Gaussian"]["bits_per_dim"] == pytest.approx(2.96, abs=0.01)
    assert found["Gaussian"]["nats"] == pytest.approx(found["Gaussian"]["bits_per_dim"] * 64 * np.log(2))


def test_a_gaussian_of_too_few_examples_is_left_out():
    x = np.float32(RNG.normal(size=(20, 5)))
    assert "Gaussian" in density_nulls("x", Field())(dataset("x", x[:10], x[10:]))
    assert "Gaussian" not in density_nulls("x", Field())(dataset("x", x[:9], x[10:]))


def test_pixels_of_two_values_cost_what_their_shares_say():
    train, test = (np.float32(RNG.uniform(size=(n, 2, 3, 1)) < 0.3) for n in (40, 25))
    found = density_nulls("image", bernoulli.takes)(dataset("image", train, test))
    ones = (train.sum(0) + 1) / 42
    truth = -stats.bernoulli(ones).logpmf(test).sum((1, 2, 3)).mean()
    assert found.keys() == {"independent pixels"}
    assert found["independent pixels"]["negative_elbo_nats"] == pytest.approx(truth, rel=1e-6)
    assert independent(np.zeros((3, 1), np.uint8), np.array([[1]]), 4) == pytest.approx(np.log(3 + 4))


def probability(train, context, symbol, order):
    """Method C by its words: what was seen after a context, else after less of it; "^" is before all, and no symbol."""
    before = probability(train, context[1:], symbol, order) if context else 1 / 3
    after = Counter(x[i] for x in train for i in range(order - 1, len(x)) if x[i - len(context) : i] == context)
    seen = sum(after.values())
    return (after[symbol] + len(after) * before) / (seen + len(after)) if seen else before


@pytest.mark.parametrize("order", [1, 2, 3])
def test_n_grams_are_method_c_and_sum_to_one_over_all_sequences(order):
    train, every = RNG.integers(0, 2, (6, 4)), np.array(list(itertools.product(range(3), repeat=4)))
    cost = [ngrams(train, row[None], 3, order) for row in every]
    assert np.exp(-np.array(cost)).sum() == pytest.approx(1)
    texts, all_texts = (["^" * (order - 1) + "".join(map(str, row)) for row in rows] for rows in (train, every))
    for text, nats in zip(all_texts[::7], cost[::7], strict=True):
        steps = range(order - 1, len(text))
        assert nats == pytest.approx(
            -sum(np.log(probability(texts, text[t - order + 1 : t], text[t], order)) for t in steps)
        )


def test_n_grams_find_a_chain_s_entropy_and_unigrams_do_not():
    """Of the chain that stays with probability 0.9: 0.325 nats a symbol, where the shares of symbols say ln 2."""
    x = (np.cumsum(RNG.uniform(size=(3000, 50)) < 0.1, 1) + RNG.integers(0, 2, (3000, 1))) % 2
    found = density_nulls("text", Field(0, 1, 2))(dataset("text", x[:2500], x[2500:]))
    rate = (np.log(2) + 49 * stats.bernoulli(0.1).entropy()) / 50
    assert found["unigrams"]["nats"] / 50 == pytest.approx(np.log(2), abs=1e-3)
    assert found["5-grams"]["nats"] / 50 == pytest.approx(rate, abs=5e-3)
