"""How the engine applies a Linen module in evaluation and in training: one rule for every network.

Linen cannot list a module's streams of random numbers, so a `Net` declares them; collections are those that
initialization made.
"""

import functools
import inspect
import zlib
from collections.abc import Sequence
from typing import Any

import jax
from flax.errors import InvalidRngError, ModifyScopeVariableError, ScopeParamShapeError

from jaxgen.errors import UserError

CONSTANTS = "constants"  # the collection of what is drawn once and never moves


def init(module: Any, key: jax.Array, *inputs: Any, **settings: Any) -> Any:
    """The module's first variables, by a pass in training mode; every stream draws from the one key."""
    return module.init(key, *inputs, **_trained(module, settings, True))


def evaluate(module: Any, variables: Any, inputs: Sequence[Any], settings: dict[str, Any]) -> Any:
    """The module's output, nothing moving and nothing random.

    Raises:
      UserError: the inputs are of another size than those it was initialized on.
    """
    try:
        return module.apply(variables, *inputs, **_trained(module, settings, False))
    except ScopeParamShapeError as error:
        raise _misfit(type(module).__name__, inputs, error) from error


def shapes(module: Any, variables: Any, *inputs: Any, **settings: Any) -> Any:
    """What `evaluate` would return, as shapes and dtypes alone: nothing is computed."""
    return jax.eval_shape(lambda variables, inputs: evaluate(module, variables, inputs, settings), variables, inputs)


def train(
    name: str,
    net: Any,
    variables: Any,
    inputs: Sequence[Any],
    key: jax.Array,
    mutable: Sequence[str],
    settings: dict[str, Any],
) -> tuple[Any, Any]:
    """The module's output in training and the collections `mutable` as it left them.

    Raises:
      UserError: it draws from a stream that is not among `net.streams`, moves a collection not in `mutable`, or its
        inputs are of another size than those it was initialized on.
    """
    rngs = {stream: jax.random.fold_in(_fold_in(key, name), zlib.crc32(stream.encode())) for stream in net.streams}
    settings = _trained(net.module, settings, True)
    try:
        return net.module.apply(variables, *inputs, rngs=rngs, mutable=list(mutable), **settings)
    except ScopeParamShapeError as error:
        raise _misfit(f"network {name!r}", inputs, error) from error
    except InvalidRngError as error:
        raise UserError(
            f"network {name!r} draws from a stream of random numbers that its Net does not declare ({_said(error)}); "
            'name it, as in Net(module, streams=("dropout",)).'
        ) from error
    except ModifyScopeVariableError as error:
        raise UserError(
            f"network {name!r} moves in training what is held ({_said(error)}); leave it out of `hold`, and do not "
            "return what moved."
        ) from error


def without_sown(variables: dict[str, Any]) -> dict[str, Any]:
    """The collections of an initialization without those of sown values, which Linen keeps as tuples."""
    return {collection: tree for collection, tree in variables.items() if not _is_sown(tree)}


def _is_sown(tree: Any) -> bool:
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
    return bool(paths) and all(isinstance(path[-1], jax.tree_util.SequenceKey) for path in paths)


def _misfit(network: str, inputs: Sequence[Any], error: ScopeParamShapeError) -> UserError:
    shapes = " and ".join(str(list(x.shape)) for x in jax.tree.leaves(tuple(inputs)) if hasattr(x, "shape"))
    return UserError(
        f"{network} gets an input of shape {shapes}, of another size than what it was initialized on ({_said(error)}); "
        "make them the same."
    )


def _said(error: Exception) -> str:
    """Flax's sentence, without the page that it names."""
    return " ".join(str(error).split("(http")[0].split()).rstrip(".")


def _fold_in(key: jax.Array, name: str) -> jax.Array:
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def _trained(module: Any, settings: dict[str, Any], value: bool) -> dict[str, Any]:
    method = settings.get("method") or "__call__"
    method = method if callable(method) else getattr(type(module), method)
    return {"train": value, **settings} if _names_train(method) else settings


@functools.cache
def _names_train(method: Any) -> bool:
    return "train" in inspect.signature(method).parameters
