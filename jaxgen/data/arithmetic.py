"""Kusner's grammar: sums, differences, products and quotients of x, whose every property is known exactly.

Kusner & Hernandez-Lobato, 2016, section 4: `S -> x | S + S | S - S | S * S | S / S`, which are the strings
`x([+*-/]x)*`.
"""

import re
from collections.abc import Sequence

import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.fields import label

SYMBOLS = "x+-*/ "  # by their numbers; the last stands behind the end
TERMS = 6  # at most
LENGTH = 2 * TERMS - 1
PROBABILITIES = 0.5 ** np.arange(1, TERMS + 1) / (1 - 0.5**TERMS)  # of 1 ... TERMS terms
_VALID = re.compile(r"x([-+*/]x)* *")


def arithmetic(*, train: int = 10_000, test: int = 2000, seed: int = 0) -> Dataset:
    """Strings of 1 to 6 terms, each number half as likely as the one before, all operators alike.

    Field: "tokens" int32 `[11]`.
    """

    def draw(split: int, count: int) -> Examples:
        rng = np.random.default_rng((seed, split))
        terms = rng.choice(np.arange(1, TERMS + 1), size=count, p=PROBABILITIES)
        tokens = np.zeros((count, LENGTH), np.int32)
        tokens[:, 1::2] = rng.integers(1, 5, (count, TERMS - 1))
        return {
            "tokens": np.where(np.arange(LENGTH) < 2 * terms[:, None] - 1, tokens, len(SYMBOLS) - 1).astype(np.int32)
        }

    def source(name: str, split: int, count: int) -> Source:
        fields = {"tokens": label(len(SYMBOLS))}
        empty = {"tokens": np.zeros((1, LENGTH), np.int32)}
        return Source("arithmetic", name, lambda: empty, lambda: Memory(draw(split, count)), lambda: fields)

    return Dataset(source("train", 0, train), source("test", 1, test))


def strings(tokens: np.ndarray) -> list[str]:
    """The text of sequences `[batch, length]`, blanks included."""
    return ["".join(SYMBOLS[symbol] for symbol in row) for row in np.asarray(tokens)]


def judge(texts: Sequence[str]) -> dict[str, float]:
    """How good strings are, by the grammar itself.

    Returns:
      `valid`, the share of them that the grammar can say; `length_distance` and `operator_distance`, the total
      variation between theirs and the data's numbers of terms (0 for what is not valid) and frequencies of operators;
      `distinct`, the share of different strings among all. Valid strings alone are had by writing "x".
    """
    valid = [text for text in texts if _VALID.fullmatch(text)]
    terms = np.bincount([text.count("x") for text in valid], minlength=TERMS + 1) / len(texts)
    terms[0] = 1 - len(valid) / len(texts)
    operators = np.array([sum(text.count(symbol) for text in valid) for symbol in SYMBOLS[1:5]], float)
    shares = operators / max(operators.sum(), 1)
    return {
        "valid": len(valid) / len(texts),
        "length_distance": float(np.abs(terms[: TERMS + 1] - np.append(0, PROBABILITIES)).sum() / 2),
        "operator_distance": float(np.abs(shares - 0.25).sum() / 2),
        "distinct": len(set(texts)) / len(texts),
    }
