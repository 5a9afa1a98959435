"""Networks and data that do not fit the sizes a method is told, refused when the method is initialized."""

from collections.abc import Sequence

from jaxgen import linen
from jaxgen.core import Array, Module, Variables
from jaxgen.errors import UserError
from jaxgen.likelihoods import Likelihood


def check(setting: str, wanted: Sequence[int], giver: str, given: Sequence[int]) -> None:
    """Refuses what is of another shape than a method is told.

    Args:
      setting: what says the shape, such as "latent_size".
      wanted: the shape, without the batch.
      giver: of what is used.
      given: its shape, without the batch.

    Raises:
      UserError: they differ.
    """
    if tuple(wanted) != tuple(given):
        told, found = (" x ".join(map(str, shape)) or "a number" for shape in (wanted, given))
        raise UserError(f"{setting} is {told}, but {giver} gives {found}; make them the same.")


def check_encoder(
    module: Module, variables: Variables, *inputs: Array, size: int, setting: str = "latent_size"
) -> None:
    """Refuses an encoder whose means or log-variances of its inputs are not `[batch, size]`.

    Raises:
      UserError: they are not.
    """
    for part in linen.shapes(module, variables, *inputs)[:2]:
        check(setting, (size,), type(module).__name__, part.shape[1:])


def check_output(setting: str, wanted: Sequence[int], module: Module, variables: Variables, *inputs: Array) -> None:
    """Refuses a network whose output is not `[batch, *wanted]`.

    Args:
      setting: as of `check`.
      wanted: as of `check`.
      module: the network's.
      variables: of the module.
      *inputs: of the network.

    Raises:
      UserError: it is not.
    """
    check(setting, wanted, type(module).__name__, linen.shapes(module, variables, *inputs).shape[1:])


def check_decoder(likelihood: Likelihood, images: Array, module: Module, variables: Variables, *inputs: Array) -> None:
    """Refuses a decoder whose output is not `[batch, *event, outputs]`, what a likelihood of images asks for.

    Raises:
      UserError: it does not.
    """
    wanted = (*images.shape[1:], likelihood.outputs)
    check_output("the shape of the likelihood's parameters", wanted, module, variables, *inputs)
