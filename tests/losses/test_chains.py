"""The chain's teacher against the enumeration of all sequences, in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from jaxgen.errors import UserError
from jaxgen.losses import chains

TAGS, LENGTH = 3, 4


def enumerate_posterior(logits, costs):
    """log Z and the marginals `[length, tags]` of one chain, sequence by sequence."""
    log_p = log_softmax(logits, axis=-1)
    sequences = list(itertools.product(range(TAGS), repeat=len(log_p)))
    scores = [
        sum(log_p[t, tag] for t, tag in enumerate(y)) - sum(costs[a, b] for a, b in itertools.pairwise(y))
        for y in sequences
    ]
    q = np.exp(scores - logsumexp(scores))
    return logsumexp(scores), np.einsum("n,nlt->lt", q, np.eye(TAGS)[np.array(sequences)])


@pytest.mark.parametrize("forbidden", [False, True])
def test_log_partition_and_marginals_are_the_enumeration_s(x64, forbidden):
    rng = np.random.default_rng(0)
    logits, values = rng.normal(size=(3, LENGTH, TAGS)), rng.uniform(size=(TAGS, TAGS, 2))
    costs = np.array(chains.transition_costs(values, np.array([1.0, 0.4]), 3.0))
    np.testing.assert_allclose(costs, 3 * (1 - values[..., 0]) + 1.2 * (1 - values[..., 1]))
    if forbidden:
        costs[0, 2] = costs[1, 1] = np.inf
    lengths = np.array([4, 2, 1])
    mask = np.arange(LENGTH) < lengths[:, None]
    log_z, marginals = chains.log_partition(logits, costs, mask), chains.marginals(logits, costs, mask)
    for i, length in enumerate(lengths):
        true_log_z, true_marginals = enumerate_posterior(logits[i, :length], costs)
        np.testing.assert_allclose(log_z[i], true_log_z, atol=1e-12)
        np.testing.assert_allclose(marginals[i, :length], true_marginals, atol=1e-12)
        np.testing.assert_array_equal(marginals[i, length:], 0)


def test_without_rules_the_teacher_is_the_student(x64):
    logits = np.random.default_rng(1).normal(size=(2, 50, TAGS))
    mask = np.ones((2, 50))
    np.testing.assert_allclose(chains.log_partition(logits, np.zeros((TAGS, TAGS)), mask), 0, atol=1e-12)
    marginals = jax.jit(chains.marginals)(logits, jnp.zeros((TAGS, TAGS)), mask)
    np.testing.assert_allclose(marginals, jax.nn.softmax(logits), atol=1e-12)


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(UserError, match=r"mask has shape \(2, 3\) for logits of shape \(2, 4, 3\)"):
        chains.log_partition(jnp.zeros((2, 4, 3)), jnp.zeros((3, 3)), jnp.ones((2, 3)))
