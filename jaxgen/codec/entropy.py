"""Entropy coders over probabilities: a queue for symbols in order, a stack for bits back, both of constriction.

Words are uint32. What constriction would accept and code wrongly is refused here. Reading further than what was written
is no error to it and gives garbage: whoever reads holds a checksum against the result.
"""

import importlib
from typing import Any

import numpy as np

from jaxgen.errors import UserError


def _library() -> Any:
    try:
        return importlib.import_module("constriction").stream
    except ModuleNotFoundError:
        raise UserError("compression needs the library constriction: pip install 'jaxgen[codec]'.") from None


def _family() -> Any:
    # Never by default: it has changed between versions, and files of one do not decode under another.
    return _library().model.Categorical(perfect=False)


def _checked(pmf: np.ndarray) -> np.ndarray:
    """Probabilities `[count, levels]` as float64."""
    pmf = np.ascontiguousarray(pmf, np.float64)
    if not (np.isfinite(pmf).all() and (pmf >= 0).all() and (pmf.sum(-1) > 0).all()):
        raise UserError("the model gave probabilities that are negative, not finite or all zero: nothing can be coded.")
    return pmf


def _indices(symbols: np.ndarray, pmf: np.ndarray) -> np.ndarray:
    symbols = np.ascontiguousarray(symbols, np.int32)
    if symbols.size and not 0 <= symbols.min() <= symbols.max() < pmf.shape[-1]:
        raise UserError(f"symbols reach from {symbols.min()} to {symbols.max()}: the model has {pmf.shape[-1]} levels.")
    return symbols


class Writer:
    """A queue's end that takes symbols in order: a range coder."""

    def __init__(self):
        self._coder = _library().queue.RangeEncoder()

    def push(self, symbols: np.ndarray, pmf: np.ndarray) -> None:
        """Integers `[count]`, each under its own probabilities `[count, levels]`; they need not sum to one.

        Raises:
          UserError: a symbol or a probability is none.
        """
        pmf = _checked(pmf)
        self._coder.encode(_indices(symbols, pmf), _family(), pmf)

    def words(self) -> np.ndarray:
        """All that was written."""
        return self._coder.get_compressed()


class Reader:
    """A queue's end that gives the symbols in the same order."""

    def __init__(self, words: np.ndarray):
        self._coder = _library().queue.RangeDecoder(np.ascontiguousarray(words, np.uint32))

    def pop(self, pmf: np.ndarray) -> np.ndarray:
        """The next symbols, int32 `[count]`, under the probabilities they were written with.

        Raises:
          UserError: no symbol has these words.
        """
        try:
            return self._coder.decode(_family(), _checked(pmf))
        except AssertionError:
            raise UserError("the file is damaged: its words are none that a range coder writes.") from None


class Stack:
    """Last in, first out: asymmetric numeral systems (Duda, 2009). Popping by p what is random draws from p.

    Args:
      words: what the stack holds to begin with; the last word is not zero.
    """

    def __init__(self, words: np.ndarray):
        words = np.ascontiguousarray(words, np.uint32)
        if words.size and not words[-1]:
            raise UserError("the words of a stack end in zero, which no stack writes: the file is damaged.")
        self._coder = _library().stack.AnsCoder(words)

    def push(self, symbols: np.ndarray, pmf: np.ndarray) -> None:
        """Integers `[count]` under probabilities `[count, levels]`; `pop` gives them in the same order."""
        pmf = _checked(pmf)
        self._coder.encode_reverse(_indices(symbols, pmf), _family(), pmf)

    def pop(self, pmf: np.ndarray) -> np.ndarray:
        """Symbols int32 `[count]`."""
        return self._coder.decode(_family(), _checked(pmf))

    def push_below(self, symbols: np.ndarray, sizes: np.ndarray) -> None:
        """Integers `[count]`, each equally likely to be any from 0 to below its size, which is 2 to 2^23."""
        self._coder.encode_reverse(np.int32(symbols), _library().model.Uniform(), np.int32(sizes))

    def pop_below(self, sizes: np.ndarray) -> np.ndarray:
        """Integers int32 `[count]`."""
        return self._coder.decode(_library().model.Uniform(), np.int32(sizes))

    def push_normal(self, symbols: np.ndarray, mean: np.ndarray, std: np.ndarray, most: int) -> None:
        """Integers `[count]` from -most to most under normals cut at the halves, none of them impossible."""
        self._coder.encode_reverse(np.int32(symbols), _library().model.QuantizedGaussian(-most, most), mean, std)

    def pop_normal(self, mean: np.ndarray, std: np.ndarray, most: int) -> np.ndarray:
        """Integers int32 `[count]`."""
        return self._coder.decode(_library().model.QuantizedGaussian(-most, most), mean, std)

    def words(self) -> np.ndarray:
        """All that it holds."""
        return self._coder.get_compressed()
