"""What a method says so that its model can compress: which symbols it has a likelihood of, and how they are coded."""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxgen.codec.files import BlockCoder
from jaxgen.core import Method, View
from jaxgen.errors import UserError
from jaxgen.fields import Field


@dataclasses.dataclass(frozen=True)
class Code:
    """How a method's model codes.

    Attributes:
      name: of the way, as the file's header has it.
      field: the batch field that is coded, `[batch, *event]`.
      takes: the field's values; their numbers, from 0, are the symbols.
      coder: `(view, event, batch) -> coder` of blocks of `batch` examples of shape `event`.
      batch: examples in a block, where nothing else is asked for.
      most: examples in a block, at most: what no file may ask for more of.
    """

    name: str
    field: str
    takes: Field
    coder: Callable[[View, tuple[int, ...], int], BlockCoder]
    batch: int
    most: int = 4096

    def open(self, view: View, event: tuple[int, ...], batch: int) -> BlockCoder:
        """The coder of blocks of `batch` examples of shape `event`.

        Raises:
          UserError: they are more than `most`.
        """
        if batch > self.most:
            raise UserError(f"batch is {batch}; a block has at most {self.most} examples.")
        return self.coder(view, event, batch)

    @property
    def levels(self) -> int:
        """How many values a symbol has."""
        assert self.takes.levels is not None
        return self.takes.levels

    def symbols(self, values: np.ndarray) -> np.ndarray:
        """The field's values as symbols, int32.

        Raises:
          UserError: a value is none that the model has.
        """
        assert self.takes.low is not None
        assert self.takes.high is not None
        scaled = (np.asarray(values, np.float64) - self.takes.low) / (self.takes.high - self.takes.low)
        number = np.round(scaled * (self.levels - 1))
        if number.size and not (0 <= number.min() <= number.max() < self.levels):
            raise UserError(f"{self.field} has values the model does not: it takes {self.takes}.")
        if np.abs(scaled * (self.levels - 1) - number).max(initial=0) > 1e-3:
            raise UserError(f"{self.field} has values between the model's: it takes {self.takes}.")
        return number.astype(np.int32)


@dataclasses.dataclass(frozen=True)
class CodedMethod(Method):
    """A method whose model can compress.

    Attributes:
      code: how; None where it cannot after all.
    """

    code: Code | None = None


def code_of(method: Method) -> Code:
    """How a method's model codes.

    Raises:
      UserError: it has no likelihood that codes.
    """
    if not isinstance(method, CodedMethod) or method.code is None:
        raise UserError(f"a {method.name} cannot compress: it gives no probabilities that a file could be coded with.")
    return method.code
