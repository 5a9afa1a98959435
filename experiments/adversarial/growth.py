"""What fades in while a generator grows, pixel by pixel: images and scores as alpha goes from 0 to 1.

Karras et al., 2018, figure 2.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxgen.core import Array, Drawing, View
from jaxgen.layers.fade import FADE, blended
from jaxgen.methods.adversarial.priors import Prior
from jaxgen.report.figure import new_figure
from jaxgen.report.grid import grid

SHOWN = 5
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def growth_drawing(prior: Prior) -> Drawing:
    """A row a latent, along which the last layers of generator and critic fade in.

    `compute` gives "images" `[alphas, SHOWN, height, width, channels]`, and the critic's scores by alpha
    `[alphas, SHOWN]`: "fine" of the images at alpha 1, "coarse" of what is left of them when four pixels are one.

    Args:
      prior: of z.
    """

    def compute(view: View) -> dict[str, Array]:
        z = prior.inputs(prior.draw(jax.random.key(0), SHOWN))

        def at(alpha: float, name: str, *inputs: Array) -> Array:
            faded = view.with_variables(name, {FADE: {"alpha": jnp.asarray(alpha)}})
            return faded(name, *inputs).astype(jnp.float32)

        images = jnp.stack([at(alpha, "generator", *z) for alpha in ALPHAS])
        fine = images[-1]
        coarse = blended(fine, 0.0)
        scores = {
            name: jnp.stack([at(alpha, "critic", x) for alpha in ALPHAS])
            for name, x in (("fine", fine), ("coarse", coarse))
        }
        return {"images": images, **scores}

    return Drawing(compute, draw, numbers)


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """A row a latent, alpha growing along it."""
    figure = new_figure(7, 7.3)
    axes = figure.add_subplot()
    images = np.swapaxes(found["images"], 0, 1).reshape(-1, *found["images"].shape[2:])
    axes.imshow(grid(images, columns=len(ALPHAS)))
    axes.set(xticks=[], yticks=[], title="alpha " + " · ".join(f"{alpha:g}" for alpha in ALPHAS))
    axes.set_frame_on(False)
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """What should be nothing at alpha 0 and between, and what should not at alpha 1."""
    images = found["images"].astype(np.float64)
    count, shown, height, width, channels = images.shape
    blocks = images.reshape(count, shown, height // 2, 2, width // 2, 2, channels)
    within = np.ptp(blocks, axis=(3, 5)).max((1, 2, 3, 4))
    between = [(1 - alpha) * images[0] + alpha * images[-1] for alpha in ALPHAS]
    heard = np.abs(found["fine"] - found["coarse"]).max(1)
    return {
        "within_four_pixels_before": within[0],
        "within_four_pixels_after": within[-1],
        "off_the_line": np.abs(images - between).max(),
        "critic_hears_detail_before": heard[0],
        "critic_hears_detail_after": heard[-1],
    }
