"""Entities of tagged sentences, against examples worked by hand and a plain reading word by word."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.metrics.entities import figures

O, B_PER, I_PER, B_LOC, I_LOC = range(5)  # noqa: E741, the field's name for "outside"


def spans(tags):
    """Entities (first word, last word, type) of one sentence, read from left to right."""
    found = []
    for t, tag in enumerate(tags):
        kind = (tag + 1) // 2
        if tag and tag % 2 == 0 and found and found[-1][1] == t - 1 and found[-1][2] == kind:
            found[-1] = (found[-1][0], t, kind)
        elif tag:
            found.append((t, t, kind))
    return set(found)


def test_figures_of_sentences_worked_by_hand():
    labels = [
        [O, B_PER, I_PER, O, B_LOC],  # two entities
        [B_PER, B_PER, I_PER, O, -1],  # two that touch, four words
        [O, O, -1, -1, -1],  # none
        [B_LOC, O, O, O, -1],
        [B_PER, I_PER, -1, -1, -1],
        [-1, -1, -1, -1, -1],  # no word at all
    ]
    tags = [
        [O, B_PER, I_PER, I_LOC, I_LOC],  # the person is right; the place is a word too long, and begins with I
        [B_PER, I_PER, I_PER, O, B_LOC],  # one entity for two; what stands after the end does not count
        [O, O, B_PER, O, I_LOC],
        [B_PER, O, B_LOC, I_LOC, O],  # the right word with a wrong type, and one that is not there
        [I_PER, I_PER, O, O, O],  # found all the same, as in CoNLL's evaluation, but illegal
        [I_PER, O, O, O, O],
    ]
    expected = {
        "accuracy": [3 / 5, 3 / 4, 1, 1 / 4, 1 / 2, 1],
        "f1": [2 * 1 / 4, 0, 1, 0, 1, 1],
        "illegal": [1, 0, 0, 0, 1, 0],
    }
    got = figures(jnp.array(tags), jnp.array(labels))
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-6, err_msg=name)
    swapped = figures(jnp.array([labels[0]]), jnp.array([tags[0]]))
    assert swapped["f1"][0] == pytest.approx(0.5)


def test_f1_of_random_tags_is_that_of_reading_word_by_word():
    rng = np.random.default_rng(0)
    tags, labels = rng.integers(0, 5, (2, 300, 6))
    labels[:150] = np.where(rng.random((150, 6)) < 0.2, labels[:150], tags[:150])  # many right ones
    for got, y, right in zip(np.array(figures(jnp.array(tags), jnp.array(labels))["f1"]), tags, labels, strict=True):
        a, b = spans(y), spans(right)
        assert got == pytest.approx(2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0)
