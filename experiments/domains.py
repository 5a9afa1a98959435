"""Two domains of one task: labelled images, and others that look different, whose labels nobody tells."""

from typing import Literal

from head import Data, signed
from jaxgen.data.domains import colour
from jaxgen.data.parts import halves
from jaxgen.data.photos import over_photographs
from jaxgen.data.source import Dataset
from jaxgen.data.transforms import on_image


def over_photos(config: Data, seen: Literal["source", "target"] = "source") -> Dataset:
    """Streams `source`, images of three equal channels, and `target`, others of the same set over photographs.

    The two have no example in common. With `seen` "target" the source looks like the target, whose labels are thereby
    told: what adaptation is measured against.

    Raises:
      UserError: the images are no grey ones of 256 levels.
    """
    plain = config.load()
    first, second = halves(plain.train)
    source = Dataset(first, plain.test).map(on_image(colour(1, 1, 1), lambda field: field))
    if seen == "target":
        source = over_photographs(Dataset(first, plain.test))
    return Dataset.streams(source=signed(source), target=signed(over_photographs(Dataset(second, plain.test))))
