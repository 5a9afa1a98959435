"""Styles of two latents in one image: the coarse layers' of one, the finer ones' of another.

Karras et al., 2019, figure 3.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxgen.core import Array, Drawing, View
from jaxgen.methods.adversarial.priors import Prior
from jaxgen.report.figure import new_figure
from jaxgen.report.grid import grid

SHOWN, PAIRS = 6, 200
COARSE = 3  # layers: those of 4 pixels, and the first of 8


def mixing_drawing(prior: Prior) -> Drawing:
    """A table of images: each row has the coarse styles of its first image, each column the fine ones of its own.

    `compute` gives "table" `[rows + 1, columns + 1, ...]` and "coarse", "fine", "mixed" `[PAIRS, ...]`.

    Args:
      prior: of z.
    """

    def compute(view: View) -> dict[str, Array]:
        keys = jax.random.split(jax.random.key(0), 2)
        coarse, fine = (view("generator", *prior.inputs(prior.draw(key, PAIRS)), method="styles") for key in keys)

        def painted(styles: Array) -> Array:
            return view("generator", styles, method="synthesis").astype(jnp.float32)

        def mixed(coarse: Array, fine: Array) -> Array:
            return painted(jnp.concatenate([coarse[:, :COARSE], fine[:, COARSE:]], 1))

        rows, columns = painted(coarse), painted(fine)
        inner = mixed(jnp.repeat(coarse[:SHOWN], SHOWN, 0), jnp.tile(fine[:SHOWN], (SHOWN, 1, 1)))
        inner = inner.reshape(SHOWN, SHOWN, *inner.shape[1:])
        corner = jnp.full_like(rows[:1], -1.0)[:, None]
        above = jnp.concatenate([corner, columns[None, :SHOWN]], 1)
        table = jnp.concatenate([above, jnp.concatenate([rows[:SHOWN, None], inner], 1)])
        return {"table": table, "coarse": rows, "fine": columns, "mixed": mixed(coarse, fine)}

    def draw(found: Mapping[str, np.ndarray]) -> Figure:
        figure = new_figure(6, 6.2)
        axes = figure.add_subplot()
        axes.imshow(grid(found["table"].reshape(-1, *found["table"].shape[2:]), columns=SHOWN + 1))
        axes.set(xticks=[], yticks=[], xlabel="fine styles of the images above", ylabel="coarse styles of these")
        axes.xaxis.set_label_position("top")
        axes.set_frame_on(False)
        return figure

    def numbers(found: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Correlation of a mixed image's pixels with those of either source, and of another pair's sources."""
        mixed = found["mixed"]
        return {
            "mixed_like_coarse": _correlation(mixed, found["coarse"]),
            "mixed_like_fine": _correlation(mixed, found["fine"]),
            "mixed_like_others": _correlation(mixed, np.roll(found["coarse"], 1, 0)),
        }

    return Drawing(compute, draw, numbers)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of the pixels of images, their mean over images `[count, ...]`."""
    a, b = (x.reshape(len(x), -1) - x.reshape(len(x), -1).mean(1, keepdims=True) for x in (a, b))
    return float(((a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))).mean())
