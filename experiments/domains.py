"""Two domains of one task: labelled images, and others that look different, whose labels nobody tells."""

import dataclasses
from typing import Literal

from head import Head, classes, signed
from jaxgen.data.domains import colour
from jaxgen.data.parts import halves
from jaxgen.data.photos import over_photographs
from jaxgen.data.source import Dataset
from jaxgen.data.transforms import on_image
from jaxgen.errors import UserError


@dataclasses.dataclass(frozen=True)
class Domains(Head):
    """Settings of what adapts to a target."""

    data: str = "mnist"
    """The source's data set."""
    target: str | None = None
    """The target, a data set's name or a path; without one it is others of the source's images, over photographs."""


def two_domains(config: Domains, seen: Literal["source", "target"] = "source") -> Dataset:
    """Streams `source`, images with labels, and `target`, whose labels, if it has any, are for held-out figures.

    The two have no example in common. With `seen` "target" the source is another half of the target, whose labels are
    thereby told: what adaptation is measured against.

    Raises:
      UserError: the source has not a label for every image, the two differ in shape or classes, or there is no target
        and the images are no grey ones of 256 levels.
    """
    plain = config.load()
    classes(plain)
    if config.target is None:
        first, second = halves(plain.train)
        source = Dataset(first, plain.test).map(on_image(colour(1, 1, 1), lambda field: field))
        target = over_photographs(Dataset(second, plain.test))
        return _streams(over_photographs(Dataset(first, plain.test)) if seen == "target" else source, target)
    target = dataclasses.replace(config, data=config.target).load()
    _check_alike(plain, target)
    if seen == "source":
        return _streams(plain, target)
    classes(target)
    first, second = halves(target.train)
    return _streams(Dataset(first, target.test), Dataset(second, target.test))


def _streams(source: Dataset, target: Dataset) -> Dataset:
    return Dataset.streams(source=signed(source), target=signed(target))


def _check_alike(source: Dataset, target: Dataset) -> None:
    """Refuses images of other shapes, and labels that mean something else in the other domain."""
    of_source, of_target = (data.spec["image"].shape if "image" in data.spec else None for data in (source, target))
    if of_source is None or of_target is None:
        return  # `signed` says so
    if of_source != of_target:
        shapes = ("x".join(map(str, shape)) for shape in (of_source, of_target))
        raise UserError(
            f"source {source.name} has images of {next(shapes)} and target {target.name} of {next(shapes)}; give a "
            "size, and channels, which both are brought to."
        )
    told, asked = (data.fields.get("label") for data in (source, target))
    if told is None or asked is None:
        return
    if asked.unlabelled or (told.names, told.classes) != (asked.names, asked.classes):
        has = [", ".join(each.names) or f"{each}" for each in (told, asked)]
        raise UserError(
            f"target {target.name} has {has[1]} for labels where source {source.name} has {has[0]}; call its "
            "subfolders alike, or put its images into none, and it has no labels."
        )
