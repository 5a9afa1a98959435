"""What values a batch field has, or has to have: a data set declares it, a method takes it, and the two are compared.

Wrong ranges are silent: a Bernoulli log-likelihood of pixels from 0 to 16, or one Gaussian density on integers against
one on [0, 1], are finite numbers that only look better or worse.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.errors import UserError

_SLACK = 1e-4  # of a range or a level's distance to the next, for the rounding of float32 and bfloat16's casts


@dataclasses.dataclass(frozen=True)
class Field:
    """What is known of a field's values, or asked of them; nothing, where nothing is said.

    Attributes:
      low: the lowest value.
      high: the highest value.
      levels: how many values there are, equally spaced from `low` to `high`.
      classes: how many values a label has, the whole numbers from 0.
      unlabelled: whether -1 stands where an example has no label.
      names: of the classes, where they have some.
      layout: the names of an example's axes, "height width channels".
    """

    low: float | None = None
    high: float | None = None
    levels: int | None = None
    classes: int | None = None
    unlabelled: bool = False
    names: tuple[str, ...] = ()
    layout: str = ""

    def __str__(self) -> str:
        if self.classes is not None:
            return f"classes 0 to {self.classes - 1}" + (" and -1, which is none," if self.unlabelled else "")
        if self.low is None and self.high is None:
            return "any values"
        ends = ("from anywhere" if self.low is None else f"from {self.low:g}") + (
            "" if self.high is None else f" to {self.high:g}"
        )
        return f"values {ends}" if self.levels is None else f"{self.levels} levels {ends}"


def image(levels: int) -> Field:
    """Images of whole numbers from 0 to `levels - 1`."""
    return Field(0, levels - 1, levels, layout="height width channels")


def label(classes: int, *, unlabelled: bool = False, names: tuple[str, ...] = ()) -> Field:
    """Labels 0 ... `classes - 1`, of classes with such names, and -1 for none where they may be missing."""
    return Field(classes=classes, unlabelled=unlabelled, names=names)


Fields = Mapping[str, Any]  # field -> Field, or stream -> such a mapping

SIGNED = Field(-1, 1, layout="height width channels")  # images as networks make them
UNIT = Field(0, 1, layout="height width channels")


def check_declared(takes: Fields, fields: Fields, spec: Mapping[str, Any], *, method: str, data: str) -> None:
    """Holds what a method takes against what a data set declares; what is not declared is left to `check_batch`.

    Args:
      takes: of the method.
      fields: of the data set.
      spec: shapes and types of an example's fields, which the data set has whether it declares them or not.
      method: its name.
      data: its name.

    Raises:
      UserError: a field is missing, or its axes, range, levels or classes are others.
    """
    for name, taken in takes.items():
        if name not in spec:
            has = " and ".join(spec) or "none"
            raise UserError(f"{method} takes a field {name!r}, which {data} has not; give it one, beside {has}.")
        if not isinstance(taken, Field):
            check_declared(taken, fields.get(name, {}), spec[name], method=method, data=f"{name} of {data}")
            continue
        axes, shape = taken.layout.split(), spec[name].shape
        if axes and len(axes) != len(shape):
            raise UserError(
                f"{name} of {data} has the shape {list(shape)} where {method} takes [{', '.join(axes)}]; reshape it."
            )
        declared = fields.get(name, Field())
        if not _agree(declared, taken):
            raise UserError(
                f"{name} of {data} has {declared} where {method} takes {taken}; {_remedy(declared, taken)}."
            )


def check_batch(takes: Fields, batch: Mapping[str, Any], fields: Fields, *, who: str, data: str) -> None:
    """Holds real examples against what is said of them.

    Args:
      takes: of a method, or a data set's own declaration.
      batch: NumPy arrays, of any leading axes.
      fields: what the data set declares: a range that is declared is not guessed at.
      who: "GAN takes", whose word it is, for the message.
      data: the data set's name.

    Raises:
      UserError: a value is not finite, out of range, between two levels, or no class.
    """
    for name, taken in takes.items():
        if not isinstance(taken, Field):
            check_batch(taken, batch[name], fields.get(name, {}), who=who, data=f"{name} of {data}")
        elif (wrong := _wrong(np.asarray(batch[name]), taken, fields.get(name, Field()))) is not None:
            raise UserError(f"{name} of {data} {wrong} where {who} {taken}; {_remedy(Field(), taken)}.")


def _agree(declared: Field, taken: Field) -> bool:
    if taken.classes is not None:
        unknown = declared.classes is None and not declared.unlabelled
        return unknown or ((declared.classes or 0) <= taken.classes and (taken.unlabelled or not declared.unlabelled))
    if taken.levels is not None and declared.levels not in (None, taken.levels):
        return False
    low = -1 if declared.unlabelled else 0 if declared.classes is not None else declared.low
    return all(
        asked is None or known is None or known == asked
        for asked, known in ((taken.low, low), (taken.high, declared.high))
    )


def _wrong(x: np.ndarray, taken: Field, declared: Field) -> str | None:
    """What is wrong with values, if anything."""
    if not x.size or not np.issubdtype(x.dtype, np.number):
        return None
    if not np.isfinite(x).all():
        return f"has the value {x[~np.isfinite(x)].flat[0]}"
    x = x.astype(np.float64)
    if taken.classes is not None:
        known = (x >= (-1 if taken.unlabelled else 0)) & (x < taken.classes) & (x == np.floor(x))
        return None if known.all() else f"has the value {x[~known].flat[0]:g}"
    low = -np.inf if taken.low is None else taken.low
    high = np.inf if taken.high is None else taken.high
    slack = _SLACK * (high - low) if np.isfinite(high - low) else 0.0
    outside = (x < low - slack) | (x > high + slack)
    if outside.any():
        return f"has the value {x[outside].flat[0]:g}"
    if taken.levels is not None and taken.levels > 1:
        level = (x - low) / (high - low) * (taken.levels - 1)
        between = np.abs(level - np.round(level)) > 100 * _SLACK
        return f"has the value {x[between].flat[0]:.4g}, between two levels," if between.any() else None
    if declared.low is None and -np.inf < low < 0 and x.min() >= 0:
        return f"has no value below 0 (they are {x.min():g} to {x.max():g})"
    return None


def _remedy(declared: Field, taken: Field) -> str:
    if taken.classes is not None:
        return "number the labels from 0, and set classes to how many there are"
    if taken.levels is not None and declared.levels not in (None, taken.levels):
        return f"set levels to {declared.levels}, or take data of {taken.levels}"
    if (taken.low, taken.high) == (-1, 1):
        return f"`data.map(signed_unit({declared.levels or 'LEVELS'}))` makes it so, of levels from 0"
    if (taken.low, taken.high) == (0, 1):
        return f"`data.map_once(binarize({declared.levels or 'LEVELS'}))` makes it so, of levels from 0"
    if taken.low == 0 and taken.levels is not None:
        return "take the data as it is, without `signed_unit`"
    return "transform the data"
