"""The forward algorithm against the sum over all paths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxgen.errors import UserError
from jaxgen.losses import hmm

STATES, LENGTH = 3, 4


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    initial, transition = (special.log_softmax(rng.normal(size=shape), -1) for shape in (STATES, (STATES, STATES)))
    return initial, transition, rng.normal(size=(2, LENGTH, STATES)), np.array([[1, 1, 1, 1], [1, 1, 0, 0]])


def paths(model, example):
    """All paths through one example and their log p(x, z)."""
    initial, transition, emission, mask = model
    length = mask[example].sum()
    found = list(itertools.product(range(STATES), repeat=int(length)))
    scores = [
        initial[path[0]]
        + sum(transition[a, b] for a, b in itertools.pairwise(path))
        + sum(emission[example, t, state] for t, state in enumerate(path))
        for path in found
    ]
    return found, np.array(scores)


def test_log_prob_is_the_sum_over_all_paths(x64, model):
    found = jax.jit(hmm.log_prob)(*model)
    np.testing.assert_allclose(found, [special.logsumexp(paths(model, i)[1]) for i in range(2)], rtol=1e-12)


def test_posteriors_are_those_of_the_paths(x64, model):
    found = jax.jit(hmm.posterior)(*model)
    expected = np.zeros((2, LENGTH, STATES))
    for example in range(2):
        all_paths, scores = paths(model, example)
        for path, weight in zip(all_paths, special.softmax(scores), strict=True):
            for t, state in enumerate(path):
                expected[example, t, state] += weight
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def test_emissions_over_all_texts_sum_to_one(x64, model):
    """Of two symbols, with probabilities of emission that sum to one."""
    initial, transition, _, _ = model
    symbols = special.log_softmax(np.random.default_rng(1).normal(size=(STATES, 2)), -1)
    texts = np.array(list(itertools.product([0, 1], repeat=5)))
    log_p = jax.jit(hmm.log_prob)(initial, transition, symbols.T[texts])
    np.testing.assert_allclose(np.exp(log_p).sum(), 1, rtol=1e-12)


def test_em_never_falls_and_its_step_is_the_paths_expected_counts(x64, model):
    step = jax.jit(hmm.m_step)
    new_initial, new_transition = step(*model)
    starts, moves = np.zeros(STATES), np.zeros((STATES, STATES))
    for example in range(2):
        all_paths, scores = paths(model, example)
        for path, weight in zip(all_paths, special.softmax(scores), strict=True):
            starts[path[0]] += weight
            for a, b in itertools.pairwise(path):
                moves[a, b] += weight
    np.testing.assert_allclose(np.exp(new_initial), starts / starts.sum(), rtol=1e-10)
    np.testing.assert_allclose(np.exp(new_transition), moves / moves.sum(1, keepdims=True), rtol=1e-10)
    initial, transition, emission, mask = model
    values = []
    for _ in range(20):
        values.append(float(jnp.sum(hmm.log_prob(initial, transition, emission, mask))))
        initial, transition = step(initial, transition, emission, mask)
    assert (np.diff(values) > -1e-12).all()
    assert values[-1] > values[0] + 0.1


def test_another_mask_is_refused(model):
    initial, transition, emission, _ = model
    with pytest.raises(UserError, match="mask has shape"):
        hmm.log_prob(initial, transition, emission, np.ones((2, 5)))
