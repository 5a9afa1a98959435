"""Where the pixels of a generated image look: the maps of a generator's self-attention.

Zhang et al., 2019, figure 5.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxgen.core import Array, Drawing, Method, View
from jaxgen.layers.attention import SelfAttention
from jaxgen.layers.resample import max_pool
from jaxgen.report.figure import new_figure

SAMPLES, SHOWN, QUERIES = 64, 4, 3
COLOURS = ("#e4572e", "#2e9e5b", "#3b7dd8")


def kept_by(found: dict[str, Array]) -> Any:
    """A context in which the generator's attention leaves its queries, keys and gamma in `found`."""

    def intercept(layer: Callable, args: tuple, kwargs: Mapping[str, Any], context: Any) -> Any:
        output, module = layer(*args, **kwargs), context.module
        if context.method_name == "__call__":
            if isinstance(module.parent, SelfAttention) and module.name in ("query", "key"):
                found[module.name] = output.astype(jnp.float32)
            if isinstance(module, SelfAttention):
                found["gamma"] = module.get_variable("params", "gamma")
        return output

    return nn.intercept_methods(intercept)


def attention_drawing(method: Method) -> Drawing:
    """Samples with three of their strokes' pixels marked, and where each of those looks.

    `compute` gives "images" `[SAMPLES, height, width, 1]`, "weights" `[SAMPLES, queries, keys]` and "gamma".
    """

    def compute(view: View) -> dict[str, Array]:
        kept: dict[str, Array] = {}
        with kept_by(kept):
            images = method.sample(view, jax.random.key(0), SAMPLES)
        query, key = (x.reshape(SAMPLES, -1, x.shape[-1]) for x in (kept["query"], max_pool(kept["key"])))
        weights = jax.nn.softmax(jnp.einsum("bqc,bkc->bqk", query, key))
        return {"images": images.astype(jnp.float32), "weights": weights, "gamma": kept["gamma"]}

    def draw(found: Mapping[str, np.ndarray]) -> Figure:
        queries, keys = (round(found["weights"].shape[axis] ** 0.5) for axis in (1, 2))
        figure = new_figure(2 * (QUERIES + 1), 2 * SHOWN)
        panels = figure.subplots(SHOWN, QUERIES + 1)
        for row, (image, weights) in enumerate(zip(found["images"], found["weights"], strict=False)):
            if row == SHOWN:
                break
            side = image.shape[0]
            extent = (-0.5, side - 0.5, side - 0.5, -0.5)
            panels[row, 0].imshow(image[..., 0], cmap="gray", vmin=-1, vmax=1)
            for column, place in enumerate(_strokes(image, queries)):
                y, x = ((coordinate + 0.5) * side / queries - 0.5 for coordinate in divmod(place, queries))
                panels[row, 0].plot(x, y, "o", color=COLOURS[column], markersize=7)
                axes = panels[row, column + 1]
                axes.imshow(weights[place].reshape(keys, keys), cmap="magma", extent=extent)
                axes.plot(x, y, "o", color=COLOURS[column], markersize=7)
        for axes in panels.flat:
            axes.set(xticks=[], yticks=[])
        return figure

    def numbers(found: Mapping[str, np.ndarray]) -> dict[str, float]:
        """To how many of the places a pixel looks, how much of that is ink, and how much of a sample is.

        The first is the exponential of the entropy, over the number of places.
        """
        weights = found["weights"].astype(np.float64)
        places = np.exp(-(weights * np.log(weights + 1e-30)).sum(-1)) / weights.shape[-1]
        side = round(weights.shape[-1] ** 0.5)
        pooled = found["images"][..., 0].reshape(SAMPLES, side, -1, side, found["images"].shape[2] // side)
        ink = (pooled.max((2, 4)) > 0).reshape(SAMPLES, 1, -1)
        return {
            "attention_places": places.mean(),
            "attention_gamma": abs(float(found["gamma"])),
            "attention_on_ink": (weights * ink).sum(-1).mean(),
            "share_of_ink": ink.mean(),
        }

    return Drawing(compute, draw, numbers)


def _strokes(image: np.ndarray, side: int) -> np.ndarray:
    """Three places of the brightest of a map of `side`, apart: the first, middle and last ones as they are read."""
    ink = image[..., 0].reshape(side, image.shape[0] // side, side, image.shape[1] // side).mean((1, 3)).ravel()
    bright = np.sort(np.argsort(ink)[-side:])
    return bright[[0, len(bright) // 2, -1]]
