"""The planted grammar: what is drawn is what is parsed, all of it equally likely, and nothing else is a sentence."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from jaxgen.data import attribute_grammar as grammar
from jaxgen.data.attribute_grammar import NUMBERS, WORDS, attribute_grammar, parsed, sentence


def numbered(text):
    numbers = [NUMBERS[word] for word in text.split()]
    return numbers + [0] * (grammar.LENGTH - len(numbers))


def test_sentences_say_what_they_were_drawn_to_say_each_as_often():
    rng = np.random.default_rng(0)
    drawn = [sentence(rng) for _ in range(4000)]
    said = [parsed(tokens) for tokens, _ in drawn]
    assert all(tuple(attributes) == each.attributes for (_, attributes), each in zip(drawn, said, strict=True))
    codes = np.bincount([4 * a + 2 * b + c for a, b, c in (each.attributes for each in said)], minlength=8)
    assert stats.chisquare(codes).pvalue > 1e-3
    contents = {each.content for each in said}
    assert len(contents) == 6 * 5
    for pair in ((0, 1), (0, 2), (1, 2)):  # any two decide the third
        assert len({tuple(content[i] for i in pair) for content in contents}) == 6 * 5


def test_the_entropy_is_the_logarithm_of_how_many_sentences_there_are():
    slots = [grammar.SUBJECTS, grammar.ADVERBS, grammar.STEMS, grammar.SUFFIXES, ("the",)]
    slots += [sum(grammar.ADJECTIVES, ()), sum(grammar.NOUNS, ())]
    assert len(set(itertools.chain(*slots))) == sum(map(len, slots))
    said = [parsed(numbered(" ".join(words))) for words in itertools.product(*slots)]
    np.testing.assert_allclose(grammar.ENTROPY, math.log(sum(each is not None for each in said)))


@pytest.mark.parametrize(
    "text",
    [
        "", "he", "he enjoy -ed the dull", "he want -ed the dull soup", "he enjoy the dull soup",
        "dull enjoy -ed the he soup", "he enjoy -ed the dull soup soup", "he enjoy -ed -s the dull soup",
        "he really mention -ed the soup dull",
    ],
)  # fmt: skip
def test_what_is_no_sentence_is_told(text):
    assert parsed(numbered(text)) is None
    assert parsed(numbered("he enjoy -ed the dull soup")).attributes == (0, 0, 0)
    assert parsed(numbered("we often enjoy -s the fine plot")).content == ("we", "often", "enjoy")
    assert parsed([NUMBERS["he"], 0, *numbered("enjoy -ed the dull soup")[:5]]) is None  # a hole
    assert len(WORDS) == len(NUMBERS)


def test_a_share_is_labelled_and_what_is_held_out_whole():
    data = attribute_grammar(labelled=0.25, train=2000, test=50)
    train, test = data.train[np.arange(2000)], data.test[np.arange(50)]
    told = (train["attributes"] >= 0).all(1)
    assert abs(told.mean() - 0.25) < 0.04
    assert (train["attributes"][~told] == -1).all()
    for batch in ({k: x[told] for k, x in train.items()}, test):
        assert all(tuple(a) == parsed(t).attributes for t, a in zip(batch["tokens"], batch["attributes"], strict=True))
