"""Settings to JSON and back: tuples, dataclasses and unions return as they were, by the types of their fields."""

import dataclasses
import itertools
import json
import types
import typing
from typing import Any

from jaxgen.errors import UserError


def config_to_json(config: Any) -> dict[str, Any]:
    """The fields of a configuration as JSON values."""
    return {field: _lists(value) for field, value in dataclasses.asdict(config).items()}


def _lists(value: Any) -> Any:
    """Lists in the place of tuples, which JSON does not tell from them."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def survives_json(value: Any) -> bool:
    """Whether JSON gives a value of `config_to_json` back: not a path, NaN or a dict of numbers."""
    try:
        return json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError):
        return False


def restore(name: str, kind: Any, value: Any) -> Any:
    """What `config_to_json` made a value of, given its type.

    Args:
      name: of the field, for messages.
      kind: its type; a union's members are tried in their order.
      value: as JSON gave it.

    Raises:
      UserError: it is of another type, or has a field that its type has not.
    """
    origin, kinds = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        fitting = (member for member in kinds if _may_be(member, value))
        return restore(name, next(fitting, None), value)
    if origin is list and isinstance(value, list):
        return [restore(name, kinds[0], item) for item in value]
    if origin is dict and isinstance(value, dict):
        return {key: restore(f"{name}.{key}", kinds[1], item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        types_of = typing.get_type_hints(kind)
        if unknown := sorted(value.keys() - types_of.keys()):
            raise UserError(f"{name} has no field {unknown[0]!r}, which the run began with; put it back.")
        return kind(**{field: restore(f"{name}.{field}", types_of[field], x) for field, x in value.items()})
    if origin is tuple and isinstance(value, list):
        each = itertools.repeat(kinds[0]) if kinds[-1:] == (...,) else kinds
        return tuple(restore(name, item_kind, item) for item_kind, item in zip(each, value, strict=False))
    if kind is float and type(value) is int:
        return float(value)
    if kind in (int, float, bool, str) and type(value) is not kind:
        raise UserError(f"{name} is {value!r}; it must be of type {kind.__name__}.")
    return value


def _may_be(kind: Any, value: Any) -> bool:
    """Whether `_lists` makes such a value of one of the type `kind`, a member of a union."""
    if dataclasses.is_dataclass(kind):
        return isinstance(value, dict) and value.keys() == {field.name for field in dataclasses.fields(kind)}
    plain = typing.get_origin(kind) or kind
    return isinstance(value, list) if plain is tuple else isinstance(plain, type) and type(value) is plain


def check_seed(seed: int) -> None:
    """Refuses what is not 32 bits, of which JAX without 64-bit numbers would use the lower ones only.

    Raises:
      UserError: it does.
    """
    if not 0 <= seed < 2**32:
        raise UserError(f"seed is {seed}; it must be from 0 to {2**32 - 1}.")
