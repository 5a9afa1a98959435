"""Coding with an integer discrete flow: its whole numbers under their priors, scale by scale, the deepest first.

Both ways run the same compiled networks at one shape, and NumPy adds and subtracts what they say.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from jaxgen.codec.entropy import Reader, Writer


class WholeNumbers(Protocol):
    """What is asked of the flow, `jaxgen.models.flow.idf.IDF`, where it says what these are."""

    event: tuple[int, ...]
    scales: int

    @property
    def lowest(self) -> int: ...

    def shape(self, scale: int) -> tuple[int, ...]: ...

    def to_base(self, x: Any, shift: Any, xp: Any) -> list[tuple[Any, Any]]: ...

    def to_data(self, draw: Any, shift: Any, xp: Any) -> Any: ...


class IntegerFlow:
    """Codes blocks of up to `batch` whole images, side by side.

    Args:
      model: the flow, unbound.
      shift: its `shift`, compiled, as whole numbers int32.
      probabilities: its `probabilities`, compiled.
      batch: images in a block.
    """

    def __init__(
        self,
        model: WholeNumbers,
        shift: Callable[[int, np.ndarray], np.ndarray],
        probabilities: Callable[[int, Any], np.ndarray],
        batch: int,
    ):
        self._model, self._shift, self._batch = model, shift, batch
        self._probabilities = probabilities

    def _pmf(self, scale: int, rest: Any, count: int) -> np.ndarray:
        """Of the first `count` images, `[numbers, values]`."""
        pmf = np.asarray(self._probabilities(scale, rest), np.float64)
        pmf = np.broadcast_to(pmf, (self._batch, *pmf.shape[1:]))[:count]
        return pmf.reshape(-1, pmf.shape[-1])

    def encode(self, symbols: np.ndarray) -> np.ndarray:
        """Flat symbols of whole images to words."""
        model, writer = self._model, Writer()
        images = np.asarray(symbols, np.int32).reshape(-1, *model.event)
        x = np.zeros((self._batch, *model.event), np.int32)
        x[: len(images)] = images
        parts = model.to_base(x, self._shift, np)
        for scale in reversed(range(model.scales)):
            z, rest = parts[scale]
            writer.push(z[: len(images)].ravel() - model.lowest, self._pmf(scale, rest, len(images)))
        return writer.words()

    def decode(self, words: np.ndarray, size: int) -> np.ndarray:
        """Words to `size` flat symbols, int32."""
        model, reader = self._model, Reader(words)
        count = size // int(np.prod(model.event))

        def draw(scale: int, rest: Any) -> np.ndarray:
            z = np.zeros((self._batch, *model.shape(scale)), np.int32)
            z[:count] = reader.pop(self._pmf(scale, rest, count)).reshape(count, *z.shape[1:]) + model.lowest
            return z

        return model.to_data(draw, self._shift, np)[:count].ravel()
