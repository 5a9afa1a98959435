"""A latent turned about: the direction in which samples lean more and more, and what it does to others.

Radford et al., 2016, figure 8, where averaged latents of faces that look left and right make a "turn" vector. Digits
lean, which their moments tell without a network.
"""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxgen.core import Array, Drawing, Method, View
from jaxgen.report.figure import new_figure
from jaxgen.report.grid import grid
from strokes import shear

STRENGTHS = (-1.0, -0.5, 0.0, 0.5, 1.0)
JUDGED, SHARE = 2000, 0.1  # samples, and the share of them that leans the most to either side
FRESH, SHOWN = 200, 6  # latents that are turned, and those of them that are drawn


def slant(images: Array) -> Array:
    """How far ink leans to the right, columns a row upwards, `[batch]`."""
    return -shear(images)


def turned_drawing(method: Method) -> Drawing:
    """Rows of samples whose latent goes along the direction, and how far they lean; a random direction beside it.

    `compute` gives "images" `[SHOWN, strengths, ...]`, "slant" and "slant_random" `[strengths, FRESH]`.
    """
    latents = method.latents
    assert latents is not None

    def compute(view: View) -> dict[str, Array]:
        keys = jax.random.split(jax.random.key(0), 3)
        judged = latents.prior(keys[0], JUDGED, None)["z"]
        order = jnp.argsort(slant(latents.decode(view, {"z": judged}, keys[0]).astype(jnp.float32)))
        most = round(SHARE * JUDGED)
        direction = jnp.mean(judged[order[-most:]], 0) - jnp.mean(judged[order[:most]], 0)
        other = jax.random.normal(keys[1], direction.shape)
        other = other * jnp.linalg.norm(direction) / jnp.linalg.norm(other)
        fresh = latents.prior(keys[2], FRESH, None)["z"]

        def along(way: Array) -> Array:
            """`[strengths, FRESH, ...]`."""
            moved = jnp.concatenate([fresh + strength * way for strength in STRENGTHS])
            images = latents.decode(view, {"z": moved}, keys[2]).astype(jnp.float32)
            return images.reshape(len(STRENGTHS), FRESH, *images.shape[1:])

        leaning, neutral = along(direction), along(other)
        return {
            "images": jnp.swapaxes(leaning[:, :SHOWN], 0, 1),
            "slant": jax.vmap(slant)(leaning),
            "slant_random": jax.vmap(slant)(neutral),
        }

    def draw(found: dict[str, np.ndarray]) -> Figure:
        figure = new_figure(9, 4.6)
        pictures, curve = figure.subplots(1, 2, width_ratios=(5, 4))
        pictures.imshow(grid(found["images"].reshape(-1, *found["images"].shape[2:]), columns=len(STRENGTHS)))
        pictures.set(xticks=[], yticks=[], title="strength of the turn, from -1 to 1")
        pictures.set_frame_on(False)
        for name, label, colour in (("slant", "the turn", "#2563b0"), ("slant_random", "as far anywhere", "#999")):
            curve.plot(STRENGTHS, found[name].mean(1), "o-", color=colour, label=label)
        curve.set(xlabel="strength", ylabel=f"slant of {FRESH} other samples")
        curve.legend(fontsize=8)
        return figure

    def numbers(found: dict[str, np.ndarray]) -> dict[str, float]:
        """How much further samples lean at 1 than at -1, by the direction and by another of its length."""
        mean = {name: found[name].mean(1) for name in ("slant", "slant_random")}
        return {
            "turned": mean["slant"][-1] - mean["slant"][0],
            "turned_at_random": abs(mean["slant_random"][-1] - mean["slant_random"][0]),
            "turned_least_step": np.diff(mean["slant"]).min(),
        }

    return Drawing(compute, draw, numbers)
