"""The chain's teacher against the enumeration of all sequences, in float64."""

import itertools

import jax
import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp, softmax

from jaxgen.errors import UserError
from jaxgen.losses import chains

TAGS, LENGTH = 3, 4


transition_costs, viterbi = jax.jit(chains.transition_costs), jax.jit(chains.viterbi)


@jax.jit
def both(logits, costs, mask):
    return chains.log_partition(logits, costs, mask), chains.marginals(logits, costs, mask)


def scores_of_all(logits, costs):
    """log p(y) less the costs of each sequence y, and the sequences."""
    log_p = log_softmax(logits, axis=-1)
    sequences = list(itertools.product(range(TAGS), repeat=len(log_p)))
    scores = [
        sum(log_p[t, tag] for t, tag in enumerate(y)) - sum(costs[a, b] for a, b in itertools.pairwise(y))
        for y in sequences
    ]
    return scores, sequences


def enumerate_posterior(logits, costs):
    """log Z and the marginals `[length, tags]` of one chain, sequence by sequence."""
    scores, sequences = scores_of_all(logits, costs)
    q = np.exp(scores - logsumexp(scores))
    return logsumexp(scores), np.einsum("n,nlt->lt", q, np.eye(TAGS)[np.array(sequences)])


def test_absolute_rules_forbid_what_breaks_them_and_nothing_else(x64):
    values = np.array([[[1.0, 0.2], [0.0, 1.0]], [[1.0, 1.0], [0.5, 0.0]]])
    costs = transition_costs(values, np.array([np.inf, 2.0]), 3.0)
    np.testing.assert_allclose(costs, [[4.8, np.inf], [0, np.inf]])


FORBIDDEN = {"nothing": (), "pairs": ((0, 2), (1, 1)), "whatever precedes 1": ((0, 1), (1, 1), (2, 1))}


@pytest.mark.parametrize("forbidden", FORBIDDEN.values(), ids=FORBIDDEN)
def test_log_partition_and_marginals_are_the_enumeration_s(x64, forbidden):
    rng = np.random.default_rng(0)
    logits, values = rng.normal(size=(3, LENGTH, TAGS)), rng.uniform(size=(TAGS, TAGS, 2))
    costs = np.array(transition_costs(values, np.array([1.0, 0.4]), 3.0))
    np.testing.assert_allclose(costs, 3 * (1 - values[..., 0]) + 1.2 * (1 - values[..., 1]))
    for pair in forbidden:
        costs[pair] = np.inf
    lengths = np.array([4, 2, 1])
    mask = np.arange(LENGTH) < lengths[:, None]
    log_z, marginals = jax.device_get(both(logits, costs, mask))
    for i, length in enumerate(lengths):
        true_log_z, true_marginals = enumerate_posterior(logits[i, :length], costs)
        np.testing.assert_allclose(log_z[i], true_log_z, atol=1e-12)
        np.testing.assert_allclose(marginals[i, :length], true_marginals, atol=1e-12)
        np.testing.assert_array_equal(marginals[i, length:], 0)


def test_without_rules_the_teacher_is_the_student(x64):
    logits = np.random.default_rng(1).normal(size=(2, 50, TAGS))
    log_z, marginals = both(logits, np.zeros((TAGS, TAGS)), np.ones((2, 50)))
    np.testing.assert_allclose(log_z, 0, atol=1e-12)
    np.testing.assert_allclose(marginals, softmax(logits, axis=-1), atol=1e-12)


@pytest.mark.parametrize("forbidden", FORBIDDEN.values(), ids=FORBIDDEN)
def test_viterbi_is_the_best_of_all_sequences(x64, forbidden):
    rng = np.random.default_rng(2)
    logits, costs = rng.normal(size=(20, LENGTH, TAGS)), rng.uniform(0, 2, size=(TAGS, TAGS))
    for pair in forbidden:
        costs[pair] = np.inf
    lengths = 1 + np.arange(20) % LENGTH
    best = np.array(viterbi(logits, costs, np.arange(LENGTH) < lengths[:, None]))
    greedy = logits.argmax(-1)
    differ = 0
    for i, length in enumerate(lengths):
        y = list(best[i, :length])
        scores, sequences = scores_of_all(logits[i, :length], costs)
        assert y == list(sequences[int(np.argmax(scores))])
        assert not best[i, length:].any()
        differ += y != list(greedy[i, :length])
    assert differ > 3


def test_of_equal_sequences_viterbi_takes_one_and_does_not_mix():
    """Only (0, 1) and (1, 0) are allowed, and equal: position by position, 0 and 0 would be as good."""
    costs = np.array([[np.inf, 0.0], [0.0, np.inf]])
    assert sorted(np.asarray(viterbi(np.zeros((1, 2, 2)), costs, np.ones((1, 2))))[0].tolist()) == [0, 1]


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(UserError, match=r"mask has shape \(2, 3\) for logits of shape \(2, 4, 3\)"):
        jax.eval_shape(chains.log_partition, np.zeros((2, 4, 3)), np.zeros((3, 3)), np.ones((2, 3)))
