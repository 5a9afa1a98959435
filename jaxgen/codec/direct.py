"""Coding with an autoregressive model itself: every symbol under the probabilities its predecessors give it.

Encoder and decoder run one compiled step at one shape. Probabilities of a whole pass, though all at once, would differ
from the decoder's in the last places, and one is enough to lose the rest.
"""

import copy
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgen.codec.entropy import Reader, Writer

Step = Callable[[Any, Any, Any], tuple[Any, jax.Array]]
Visit = Callable[[int, np.ndarray], np.ndarray]  # index in the event, pmf [batch, levels] to symbols [batch]


def of_logits(step: Step) -> Step:
    """A model's step, compiled, with probabilities in the place of logits; the cache is written in place."""

    @functools.partial(jax.jit, donate_argnums=0)
    def probabilities(cache: Any, position: jax.Array, previous: jax.Array) -> tuple[Any, jax.Array]:
        cache, logits = step(cache, position, previous)
        return cache, jax.nn.softmax(logits, axis=-1)

    return probabilities


class Direct:
    """Codes blocks of up to `batch` examples, side by side.

    Args:
      step: `(cache, position, previous symbols [batch]) -> (cache, probabilities [batch, levels])`, such as
        `of_logits(model's step)`; whole numbers of any sum will do.
      start: what the first step is given.
      order: indices of the symbols in the flattened event, first to last.
      batch: examples in a block.
    """

    def __init__(self, step: Step, start: Any, order: np.ndarray, batch: int):
        self.order, self.batch = order, batch
        self._start = start
        self._step = step

    def _walk(self, visit: Visit) -> None:
        cache = jax.tree.map(copy.deepcopy, self._start)  # which the step may overwrite
        previous = np.zeros(self.batch, np.int32)
        for position, index in enumerate(self.order):
            cache, pmf = self._step(cache, np.int32(position), previous)
            previous = visit(int(index), np.asarray(pmf, np.float64))

    def encode(self, symbols: np.ndarray) -> np.ndarray:
        """Flat symbols `[up to batch * example]` to words."""
        writer, (padded, lengths) = Writer(), self._rows(symbols)

        def visit(index: int, pmf: np.ndarray) -> np.ndarray:
            there = index < lengths
            writer.push(padded[there, index], pmf[there])
            return padded[:, index]

        self._walk(visit)
        return writer.words()

    def decode(self, words: np.ndarray, size: int) -> np.ndarray:
        """Words to `size` flat symbols, int32."""
        reader, (rows, lengths) = Reader(words), self._rows(np.zeros(size, np.int32))

        def visit(index: int, pmf: np.ndarray) -> np.ndarray:
            there = index < lengths
            rows[there, index] = reader.pop(pmf[there])
            return rows[:, index].copy()

        self._walk(visit)
        return rows.ravel()[:size]

    def _rows(self, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Symbols as `[batch, example]`, and how many each row has."""
        example = len(self.order)
        rows = np.zeros((self.batch, example), np.int32)
        rows.ravel()[: len(symbols)] = symbols
        return rows, np.clip(len(symbols) - example * np.arange(self.batch), 0, example)
