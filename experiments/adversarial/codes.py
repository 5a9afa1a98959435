"""What an InfoGAN's codes do: a row a category, along which one of the numbers goes from -1 to 1."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from matplotlib.figure import Figure

from jaxgen.core import Array, Drawing, Method, View
from jaxgen.report.figure import new_figure
from jaxgen.report.grid import grid

VALUES = tuple(np.linspace(-0.95, 0.95, 7))
NOISES = 16  # under which what is read of a code is judged


def codes_drawing(method: Method, categories: int, names: Sequence[str]) -> Drawing:
    """A panel for each number.

    Args:
      method: an `infogan` whose codes are "category" and numbers of these names.
      categories: values of the category.
      names: of the numbers.
    """
    latents = method.latents
    assert latents is not None
    count = categories * len(VALUES)

    def compute(view: View) -> dict[str, dict[str, Array]]:
        found = {}
        for name in names:

            def one(key: Array, name: str = name) -> dict[str, Array]:
                """Images and what is read of them, of one noise; the other numbers are 0."""
                drawn = latents.prior(key, 1, None)
                z = {part: jnp.repeat(value, count, 0) for part, value in drawn.items()}
                z |= {number: jnp.zeros((count, 1)) for number in names}
                z |= {"category": jnp.repeat(jnp.arange(categories), len(VALUES))}
                z |= {name: jnp.tile(ndtri((jnp.asarray(VALUES) + 1) / 2), categories)[:, None]}
                images = latents.decode(view, z, key).astype(jnp.float32)
                heads = view("critic", images)[1]
                read = jnp.argmax(heads["category"], -1) == z["category"]
                return {"images": images, "category": read, "read": heads[name][:, 0].astype(jnp.float32)}

            found[name] = jax.vmap(one)(jax.random.split(jax.random.key(0), NOISES))
        return found

    def draw(found: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
        figure = new_figure(5 * len(names), 0.62 * categories)
        for axes, (name, of_name) in zip(np.atleast_1d(figure.subplots(1, len(names))), found.items(), strict=True):
            axes.imshow(grid(of_name["images"][0], columns=len(VALUES)))
            axes.set(xticks=[], yticks=[], title=f"{name} number, from -1 to 1", ylabel="category")
            axes.set_frame_on(False)
        return figure

    def numbers(found: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, float]:
        """How often the category is read, and the correlation of each number with what is read of it."""
        given = np.tile(VALUES, NOISES * categories)
        read = {f"read_{name}": np.corrcoef(given, found[name]["read"].ravel())[0, 1] for name in names}
        return {"read_category": np.mean([each["category"] for each in found.values()]), **read}

    return Drawing(compute, draw, numbers)
