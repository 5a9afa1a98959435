"""Inception score: how sure a classifier is of each sample, and how many classes it sees.

Salimans et al., 2016, "Improved Techniques for Training GANs", section 4: exp E_x KL(p(y|x) ‖ p(y)), the exponential of
the mutual information between sample and class. From 1 (all alike, or all unclear) to the number of classes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

Array = jax.Array


class Score(NamedTuple):
    """Means over the samples seen so far.

    Attributes:
      count: how many, `[]`.
      probabilities: mean p(y|x), `[classes]`.
      negative_entropy: mean Σ_y p(y|x) log p(y|x), nats, `[]`.
    """

    count: Array
    probabilities: Array
    negative_entropy: Array


def init(classes: int) -> Score:
    """The means of no samples."""
    return Score(jnp.zeros(()), jnp.zeros(classes), jnp.zeros(()))


def update(score: Score, logits: Array, weight: ArrayLike = 1.0) -> Score:
    """The means with a batch added.

    Args:
      score: of what came before.
      logits: `[batch, classes]`, or log-probabilities.
      weight: 0 for rows that only fill up the batch, else 1; `[batch]` or one for all.
    """
    weight = jnp.broadcast_to(jnp.asarray(weight, score.probabilities.dtype), logits.shape[:1])
    added = jnp.sum(weight)
    count = score.count + added
    share = added / jnp.maximum(count, 1)
    p = jax.nn.softmax(logits)
    terms = -jnp.sum(jax.scipy.special.entr(p), axis=1)
    probabilities, negative_entropy = (
        jnp.sum(weight * value.T, axis=-1) / jnp.maximum(added, 1) for value in (p, terms)
    )
    return Score(
        count,
        score.probabilities + share * (probabilities - score.probabilities),
        score.negative_entropy + share * (negative_entropy - score.negative_entropy),
    )


def finish(score: Score) -> Array:
    """The score, `[]`."""
    return jnp.exp(score.negative_entropy + jnp.sum(jax.scipy.special.entr(score.probabilities)))
