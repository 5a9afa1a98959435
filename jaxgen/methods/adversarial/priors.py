"""What a generator's samples are made of: parts that are drawn independently and handed to it in turn."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
from jax.scipy.special import ndtr

from jaxgen.core import Array
from jaxgen.errors import UserError


@dataclasses.dataclass(frozen=True)
class Prior:
    """A distribution of latents, `{name: [count, ...]}`.

    Attributes:
      draw: `(key, count) -> latents`; leaves of floating point are standard normal, as `Latents` wants them.
      inputs: latents to what the generator sees of them, one array a part.
    """

    draw: Callable[[Array, int], dict[str, Array]]
    inputs: Callable[[Mapping[str, Array]], tuple[Array, ...]]


def normal(size: int, name: str = "z") -> Prior:
    """A standard normal, `[count, size]`."""
    return Prior(lambda key, count: {name: jax.random.normal(key, (count, size))}, lambda latents: (latents[name],))


def uniform(size: int, name: str = "z") -> Prior:
    """Uniform on [-1, 1], `[count, size]`, kept as the normal number of the same quantile."""
    return dataclasses.replace(normal(size, name), inputs=lambda latents: (2 * ndtr(latents[name]) - 1,))


def categorical(classes: int, name: str = "label") -> Prior:
    """Every class as likely, int `[count]`."""
    return Prior(
        lambda key, count: {name: jax.random.randint(key, (count,), 0, classes)}, lambda latents: (latents[name],)
    )


def joint(*parts: Prior) -> Prior:
    """Independent parts, in the order in which the generator takes them.

    Raises:
      UserError: two share a name.
    """

    def draw(key: Array, count: int) -> dict[str, Array]:
        drawn: dict[str, Array] = {}
        for index, part in enumerate(parts):
            more = part.draw(jax.random.fold_in(key, index) if index else key, count)
            if both := sorted(drawn.keys() & more.keys()):
                raise UserError(f"prior: two parts are named {both[0]!r}; name one of them otherwise.")
            drawn |= more
        return drawn

    return Prior(draw, lambda latents: tuple(x for part in parts for x in part.inputs(latents)))
