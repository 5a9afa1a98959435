"""Blocks of examples as one chain: each is paid for with bits of those before, and leaves more than it took.

Frey & Hinton, 1997, "Efficient Stochastic Source Coding and an Application to a Bayesian Network Source Model".
"""

import abc

import numpy as np

from jaxgen.codec.entropy import Stack
from jaxgen.errors import UserError


class Chain(abc.ABC):
    """Codes blocks of examples by `push` and `pop`, which undo each other to the last bit of the stack.

    The first example is paid for with seed words, which the decoder must get back: one more check of the whole chain.

    Args:
      example: symbols in an example.
      bits: that an example draws before it leaves any; the seed has two words more.
    """

    def __init__(self, example: int, bits: float):
        self.example = example
        self._seed = np.random.default_rng(0).integers(1, 1 << 32, 2 + int(np.ceil(bits / 32)), np.uint32)

    @abc.abstractmethod
    def push(self, stack: Stack, x: np.ndarray) -> None:
        """Puts the symbols of one example, int32 `[example]`, on the stack."""

    @abc.abstractmethod
    def pop(self, stack: Stack) -> np.ndarray:
        """Takes the symbols of one example off, and puts back what `push` drew for them."""

    def encode(self, symbols: np.ndarray) -> np.ndarray:
        """Flat symbols of whole examples to words: how many of the seed's are as they were, and all but those."""
        stack = Stack(self._seed)
        for x in np.asarray(symbols, np.int32).reshape(-1, self.example):
            self.push(stack, x)
        words = stack.words()
        count = min(len(words), len(self._seed))
        untouched = int(np.argmin([*(words[:count] == self._seed[:count]), False]))
        return np.concatenate([np.array([untouched], np.uint32), words[untouched:]])

    def decode(self, words: np.ndarray, size: int) -> np.ndarray:
        """Words to `size` flat symbols, int32.

        Raises:
          UserError: what is left is not the seed.
        """
        stack = Stack(np.concatenate([self._seed[: words[0]], words[1:]]) if len(words) else words)
        x = np.zeros((size // self.example, self.example), np.int32)
        for i in reversed(range(len(x))):
            x[i] = self.pop(stack)
        if not np.array_equal(stack.words(), self._seed):
            raise UserError("the chain did not give its seed back: the numbers here are not those it was coded with.")
        return x.ravel()

    def paid(self, words: np.ndarray) -> int:
        """Bits that the examples of a block's words took, without what the seed lent them and got back."""
        return 32 * (len(words) - 1 - (len(self._seed) - int(words[0])))
