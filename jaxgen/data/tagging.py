"""Sentences of a small artificial language, with names of persons, places and organizations to find."""

from typing import Any

import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.fields import label as classes_of

TYPES = 3
TAGS = 2 * TYPES + 1  # O = 0 and, of type k, B = 2k + 1 and I = 2k + 2
COMMA, AND = 1, 2
_CUES, _FILLERS, _NAMES = 4, 20, 150
_BEFORE = 3  # first word of those that announce a type, as "Mr" or "in", _CUES each
_AFTER = _BEFORE + TYPES * _CUES  # and of those that follow one, as "said" or "Inc."
_FILLER = _AFTER + TYPES * _CUES
_NAME = _FILLER + _FILLERS
WORDS = _NAME + _NAMES
LENGTH = 16


def is_name(words: Any) -> Any:
    """Whether a word is written as names are, as capitals would show it."""
    return words >= _NAME


def tagged_sentences(*, train: int, labelled: int, test: int = 1000, seed: int = 0) -> Dataset:
    """Splits of independent sentences; of the training sentences only the first `labelled` have labels.

    A sentence has fillers, then names of one type: one, or a list "X, Y and Z". A word before them or after them tells
    the type, seldom a wrong one. Names have one to three words, which do not settle it: each word has its own shares of
    the three types, drawn once for the language. Other words are in no name, and names do not touch.

    Fields: "word" int32 `[16]`, 1 the comma, 2 "and", 0 after the end; "label" int32 `[16]`, the tag, -1 after the end
    and where no one has labelled.

    Args:
      train: training sentences.
      labelled: how many of them have labels.
      test: held-out sentences, all with labels.
      seed: of the sentences; the language is always the same.
    """
    return Dataset(_source("train", train, labelled, (seed, 0)), _source("test", test, test, (seed, 1)))


def _source(split: str, count: int, labelled: int, seed: tuple[int, int]) -> Source:
    def describe() -> Examples:
        return {field: np.zeros((1, LENGTH), np.int32) for field in ("word", "label")}

    def load() -> Memory:
        rng, shares = np.random.default_rng(seed), _name_shares()
        words, labels = np.zeros((count, LENGTH), np.int32), np.full((count, LENGTH), -1, np.int32)
        for i in range(count):
            pairs = _sentence(rng, shares)
            words[i, : len(pairs)], labels[i, : len(pairs)] = np.transpose(pairs)
        labels[labelled:] = -1
        return Memory({"word": words, "label": labels})

    fields = {"word": classes_of(WORDS), "label": classes_of(TAGS, unlabelled=True)}
    return Source("tagged_sentences", split, describe, load, lambda: fields)


def _name_shares() -> np.ndarray:
    """How often a name of each type is each word, `[types, names]`."""
    shares = np.random.RandomState(0).dirichlet(np.full(TYPES, 0.3), size=_NAMES)
    return (shares / shares.sum(0)).T


def _sentence(rng: np.random.Generator, shares: np.ndarray) -> list[tuple[int, int]]:
    """Words and their tags, at most 15."""
    kind = int(rng.integers(TYPES))
    told = kind if rng.random() < 0.9 else int(rng.integers(TYPES))
    cue = told * _CUES + int(rng.integers(_CUES))
    fillers = [(_FILLER + int(rng.integers(_FILLERS)), 0) for _ in range(rng.integers(1, 4))]
    listed: list[tuple[int, int]] = []
    items = rng.choice([1, 2, 3], p=[0.5, 0.25, 0.25])
    for item in range(items):
        if item:
            listed.append((AND if item == items - 1 else COMMA, 0))
        size = rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15])
        names = _NAME + rng.choice(_NAMES, size=size, p=shares[kind])
        listed += [(int(word), 2 * kind + (1 if k == 0 else 2)) for k, word in enumerate(names)]
    return fillers + ([(_BEFORE + cue, 0), *listed] if rng.random() < 0.5 else [*listed, (_AFTER + cue, 0)])
