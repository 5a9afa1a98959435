"""The tagged sentences: every label follows from the language's rules, and only as many have labels as asked for."""

import itertools

import numpy as np

from jaxgen.data.tagging import AND, COMMA, LENGTH, TAGS, WORDS, is_name, tagged_sentences


def sentences(split):
    examples = split[np.arange(len(split))]
    return examples["word"], examples["label"]


def test_labels_keep_the_rules_and_name_one_type_a_sentence():
    words, labels = sentences(tagged_sentences(train=1, labelled=1, test=500).test)
    assert words.shape == labels.shape == (500, LENGTH)
    assert words.max() < WORDS
    assert set(np.unique(labels)) == set(range(-1, TAGS))
    np.testing.assert_array_equal(words == 0, labels == -1)
    for word, label in zip(words, labels, strict=True):
        there = word > 0
        assert (np.diff(there.astype(int)) <= 0).all()
        np.testing.assert_array_equal(is_name(word[there]), label[there] > 0)
        kinds = (label[there] + 1) // 2
        assert len(set(kinds[kinds > 0])) == 1
        for before, tag in itertools.pairwise([0, *label[there]]):
            if tag and tag % 2 == 0:
                assert before in (tag - 1, tag)
            elif tag:
                assert before == 0
        for position in np.flatnonzero((word == COMMA) | (word == AND)):
            assert is_name(word[position - 1])
            assert is_name(word[position + 1])


def test_a_word_next_to_the_names_tells_their_type_more_often_than_a_name_does():
    words, labels = sentences(tagged_sentences(train=1, labelled=1, test=2000).test)
    kind = (labels.max(1) - 1) // 2

    def guessed(which):
        """How often the type that most sentences with the same word there have is right."""
        return sum(np.bincount(kind[which == word]).max() for word in np.unique(which)) / len(kind)

    first = np.array([word[is_name(word)][0] for word in words])
    names = is_name(words)
    start, end = names.argmax(1), LENGTH - 1 - names[:, ::-1].argmax(1)
    rows = np.arange(len(words))
    before, after = words[rows, start - 1], words[rows, np.minimum(end + 1, LENGTH - 1)]
    cue = np.where(after > 0, after, before)
    assert 0.9 < guessed(cue) < 0.96  # nine in ten, and a third of the rest by chance
    assert guessed(first) < 0.9


def test_only_as_many_have_labels_as_asked_for_and_seeds_differ():
    data, other = (tagged_sentences(train=50, labelled=7, test=50, seed=seed) for seed in (0, 1))
    words, labels = sentences(data.train)
    np.testing.assert_array_equal((labels >= 0).any(1), np.arange(50) < 7)
    np.testing.assert_array_equal(sentences(tagged_sentences(train=50, labelled=7, test=50).train)[0], words)
    for elsewhere in (sentences(data.test)[0], sentences(other.train)[0]):
        assert (elsewhere == words).all(1).mean() < 0.1
    assert data.spec["word"].shape == words.shape[1:]
