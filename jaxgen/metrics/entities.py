"""Figures of tagged sentences: tags are O = 0 and, of entity type k = 0, 1, ..., B = 2k + 1 and I = 2k + 2.

An entity is a maximal run of one type; B begins one, and so does an I that continues none, as in CoNLL's evaluation
(Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 Shared Task").
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

Array = jax.Array


def figures(tags: Array, labels: Array) -> Mapping[str, Array]:
    """How good the tags of a sentence are.

    Args:
      tags: int `[batch, length]`.
      labels: the right ones, `[batch, length]`, negative where the sentence is over.

    Returns:
      Of each sentence, `[batch]`: "accuracy", the share of right tags, and 1 where there is no word; "f1", 2 right /
      (found + true) entities, right meaning the same words and type, and 1 where there are none at all; "illegal",
      whether an I continues nothing.
    """
    there = labels >= 0
    (found, last), (true, true_last) = entities(jnp.where(there, tags, 0)), entities(jnp.where(there, labels, 0))
    right = (found > 0) & (found == true) & (last == true_last)
    both = jnp.sum(found > 0, axis=-1) + jnp.sum(true > 0, axis=-1)
    words = jnp.sum(there, axis=-1)
    return {
        "accuracy": jnp.where(words > 0, jnp.sum(there & (tags == labels), axis=-1) / jnp.maximum(words, 1), 1.0),
        "f1": jnp.where(both > 0, 2 * jnp.sum(right, axis=-1) / jnp.maximum(both, 1), 1.0),
        "illegal": jnp.any(there & _inside(tags) & ~_continues(tags), axis=-1),
    }


def entities(tags: Array) -> tuple[Array, Array]:
    """Where entities begin and how far they go.

    Args:
      tags: int `[batch, length]`.

    Returns:
      The type, from 1, of the entity that begins at each position, else 0; and the position of the last word of the
      one that the position is in. Both `[batch, length]`.
    """
    kind, goes_on = (tags + 1) // 2, _continues(tags)
    begins = jnp.where(goes_on, 0, kind)
    length = tags.shape[-1]
    is_last = jnp.pad(~goes_on[:, 1:], ((0, 0), (0, 1)), constant_values=True)
    return begins, jax.lax.cummin(jnp.where(is_last, jnp.arange(length), length), axis=1, reverse=True)


def _inside(tags: Array) -> Array:
    return (tags > 0) & (tags % 2 == 0)


def _continues(tags: Array) -> Array:
    """Whether a tag is an I after a B or I of its type."""
    kind = (tags + 1) // 2
    before = jnp.pad(kind[:, :-1], ((0, 0), (1, 0)))
    return _inside(tags) & (before == kind)
