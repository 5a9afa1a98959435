"""Sentences of a small grammar whose sentiment, tense and topic are each one word: it says exactly what holds of them.

`subject [adverb] stem suffix the adjective noun`: the adjective is of a sentiment, the suffix of a tense, the noun of a
topic; subject, adverb and stem are of none, and are the content that changing those must keep. Which stem, the subject
and the adverb decide: without that the words would be independent, and a model's latents have nothing to say of them.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

from jaxgen.data.computed import generated
from jaxgen.data.source import Dataset
from jaxgen.fields import Field, label

SUBJECTS = ("he", "she", "they", "we", "somebody", "nobody")
ADVERBS = ("", "really", "hardly", "often", "just")
STEMS = ("enjoy", "mention", "recommend", "remember", "want", "discuss")
SUFFIXES = ("-ed", "-s")
ADJECTIVES = (
    ("awful", "dull", "weak", "stale", "poor", "bland"),
    ("great", "fresh", "fine", "superb", "rich", "lovely"),
)
NOUNS = (
    ("soup", "bread", "pasta", "cake", "salad", "stew"),
    ("plot", "actor", "scene", "script", "ending", "song"),
)
ATTRIBUTES = {"sentiment": ("bad", "good"), "tense": ("past", "present"), "topic": ("food", "film")}
CLASSES = (2, 2, 2)
LENGTH = 7
WORDS = ("", *SUBJECTS, *ADVERBS[1:], *STEMS, *SUFFIXES, "the", *itertools.chain(*ADJECTIVES, *NOUNS))  # 0 is padding
NUMBERS = {word: number for number, word in enumerate(WORDS)}
ENTROPY = math.log(len(SUBJECTS) * len(ADVERBS) * len(SUFFIXES) * len(sum(ADJECTIVES, ())) * len(sum(NOUNS, ())))
"""Of a sentence, nats: all that there are have the same probability, and no model's held-out nats are fewer."""


@dataclasses.dataclass(frozen=True)
class Said:
    """What a sentence says.

    Attributes:
      attributes: numbers of its sentiment, tense and topic.
      content: subject, adverb ("" is none) and stem.
    """

    attributes: tuple[int, ...]
    content: tuple[str, str, str]


def stem_of(subject: str, adverb: str) -> str:
    """The stem that goes with them."""
    return STEMS[(SUBJECTS.index(subject) + ADVERBS.index(adverb)) % len(STEMS)]


def sentence(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Any sentence: word numbers, int32 `[LENGTH]`, padding last, and its attributes, int32 `[3]`."""
    sentiment, tense, topic = attributes = rng.integers(0, CLASSES)
    subject, adverb = rng.choice(SUBJECTS), rng.choice(ADVERBS)
    words = [subject, adverb, stem_of(subject, adverb), SUFFIXES[tense], "the"]
    words += [rng.choice(ADJECTIVES[sentiment]), rng.choice(NOUNS[topic])]
    numbers = [NUMBERS[word] for word in words if word]
    return np.pad(np.array(numbers, np.int32), (0, LENGTH - len(numbers))), attributes.astype(np.int32)


def parsed(tokens: Sequence[int]) -> Said | None:
    """What word numbers say; None where they are no sentence of the grammar."""
    words = [WORDS[number] for number in tokens]
    while words and not words[-1]:
        words.pop()
    if "" in words or len(words) not in (LENGTH - 1, LENGTH):
        return None
    if len(words) == LENGTH - 1:
        words.insert(1, "")
    subject, adverb, stem, suffix, article, adjective, noun = words
    known = subject in SUBJECTS and adverb in ADVERBS and suffix in SUFFIXES and article == "the"
    sentiments = [number for number, group in enumerate(ADJECTIVES) if adjective in group]
    topics = [number for number, group in enumerate(NOUNS) if noun in group]
    if not (known and sentiments and topics) or stem != stem_of(subject, adverb):
        return None
    return Said((*sentiments, SUFFIXES.index(suffix), *topics), (subject, adverb, stem))


def attribute_grammar(*, labelled: float = 1.0, train: int = 20_000, test: int = 1000) -> Dataset:
    """Sentences and, of a share of those to train on, what holds of them.

    Fields: "tokens" int32 `[LENGTH]`, numbers in `WORDS`; "attributes" int32 `[3]`, -1 where they are not told.

    Args:
      labelled: the share.
      train: how many sentences to train on.
      test: how many are held out, all of them told.
    """

    def example(rng: np.random.Generator, share: float) -> dict[str, np.ndarray]:
        tokens, attributes = sentence(rng)
        return {"tokens": tokens, "attributes": attributes if rng.uniform() < share else np.full_like(attributes, -1)}

    fields = {"tokens": label(len(WORDS)), "attributes": Field(-1, 1)}
    some, whole = (
        generated("attribute_grammar", functools.partial(example, share=share), train=train, test=test, fields=fields)
        for share in (labelled, 1.0)
    )
    return Dataset(some.train, whole.test)
