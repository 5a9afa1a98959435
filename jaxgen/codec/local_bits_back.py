"""Coding with a continuous flow, by local bits back: close to an example any flow is linear, and a linear one codes.

Ho, Lohn & Abbeel, 2019, "Compression with Flows via Local Bits-Back Coding", algorithm 1 and section 3.4: places of
pixels in their cells are drawn, and z of a normal around f(x) of covariance σ² J Jᵀ, both with bits that come back;
then x is written under a normal of width σ around f⁻¹(z), and z under the prior. Where σ is so small that f is linear,
the bits are those of the dequantized model. Here J = dz/dlogit(x) and σ is of logits, σ x(1 - x) of x itself: at the
ends of [0, 1], where most pixels are, flows bend the more the closer x is. J is computed whole, at the cost of as many
passes as x has numbers.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from jaxgen.codec import normals
from jaxgen.codec.chain import Chain
from jaxgen.codec.entropy import Stack
from jaxgen.errors import UserError

_CELL = 18  # bits of a place in a pixel's cell
_WIDTH = 2.0**-8  # σ
_BASE = 2.0**-11  # distance between values of z


class LocalFlow(NamedTuple):
    """A flow of x in (0, 1), in float64; what it computes must be the same wherever it is coded.

    Attributes:
      to_base: `x [size] -> (z [size], lower-triangular factor of J Jᵀ [size, size])`, J of logits.
      to_data: `z [size] -> x [size]`.
    """

    to_base: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    to_data: Callable[[np.ndarray], np.ndarray]


class LocalBitsBack(Chain):
    """Codes blocks of examples of whole numbers, which fill [0, 1) in cells of equal size.

    Args:
      flow: of the dequantized examples, its base standard normal.
      example: symbols in an example.
      levels: values of a symbol.
    """

    def __init__(self, flow: LocalFlow, example: int, levels: int):
        super().__init__(example, example * (_CELL + 64))  # more than is drawn: z has no more digits than that
        self._flow, self._levels, self._count = flow, levels, levels << _CELL
        self._places = np.full(example, 1 << _CELL)

    def push(self, stack: Stack, x: np.ndarray) -> None:
        place = (x.astype(np.int64) << _CELL) + stack.pop_below(self._places)
        center, factor = self._around(place)
        z = np.zeros(self.example, np.int64)
        for i, mean, std in _conditionals(z, center, factor):
            z[i : i + 1] = normals.pop(stack, mean, std)
        normals.push(stack, place, *self._near(z))
        normals.push(stack, z, *self._prior())

    def pop(self, stack: Stack) -> np.ndarray:
        z = normals.pop(stack, *self._prior())
        place = normals.pop(stack, *self._near(z))
        x = place >> _CELL
        if x.min() < 0 or x.max() >= self._levels:
            raise UserError("the chain decodes to no example: the numbers here are not those it was coded with.")
        center, factor = self._around(place)
        for i, mean, std in reversed(list(_conditionals(z, center, factor))):
            normals.push(stack, z[i : i + 1], mean, std)
        stack.push_below(place - (x << _CELL), self._places)
        return x.astype(np.int32)

    def _around(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z of a place, and the factor of the covariance around it; both in distances of z's values."""
        z, factor = (np.asarray(a, np.float64) for a in self._flow.to_base((place + 0.5) / self._count))
        return z / _BASE, factor * np.sign(np.diagonal(factor)) * (_WIDTH / _BASE)

    def _near(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of places given z."""
        x = np.asarray(self._flow.to_data(z * _BASE), np.float64)
        return x * self._count - 0.5, np.maximum(_WIDTH * x * (1 - x) * self._count, 1 / 16)

    def _prior(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(self.example), np.full(self.example, 1 / _BASE)


def _conditionals(
    z: np.ndarray, center: np.ndarray, factor: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Of each z given those before it, which are read when it comes to the next: its mean and standard deviation."""
    noise = np.zeros(len(z))
    for i in range(len(z)):
        mean, std = center[i : i + 1] + np.sum(factor[i, :i] * noise[:i]), factor[i, i : i + 1]
        yield i, mean, std
        noise[i] = (z[i] - mean[0]) / std[0]
