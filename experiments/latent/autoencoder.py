"""An autoencoder, which sees digits through noise and gives them back without; what lies between codes it never saw.

`jaxgen train autoencoder`; `--latent-size 2 --noise 0` draws the plane of codes, with its holes.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy.spatial.distance import cdist

from head import Head, cosine, signed
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.methods.latent.autoencoder import autoencoder
from jaxgen.models.mlp import MLP
from jaxgen.report.figure import new_figure
from jaxgen.report.grid import grid
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Vincent et al., 2008"
MEASURED = {"digits": "squared error 4.28 of what noise of 16 was added to (1 seed)"}


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 3000
    """Training steps."""
    noise: float = 0.5
    """Standard deviation of the noise upon images in [-1, 1]."""
    latent_size: int = 16
    """Length of the code."""
    hidden: int = 256
    """Units of the hidden layers, two in each network."""


PRESETS = {"digits": Config()}


class Flat(nn.Module):
    """A network of vectors, for images."""

    network: nn.Module

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        return self.network(x.reshape(x.shape[0], -1), train=train)


CELLS, SHOWN = 30, 12  # cells of the plane along either axis, and digits in a row


def denoised(data: Dataset, noise: float) -> Drawing:
    """Held-out images, the same through noise, and what is made of those."""

    def compute(view: View) -> Array:
        x = jnp.asarray(data.test[np.arange(SHOWN)]["image"])
        seen = x + noise * jax.random.normal(jax.random.key(0), x.shape)
        again = view("decoder", view("encoder", seen)).reshape(x.shape)
        return jnp.stack([x, seen, again])

    def draw(rows: np.ndarray) -> Figure:
        figure = new_figure(9, 2.4)
        axes = figure.add_subplot()
        axes.imshow(grid(rows.reshape(-1, *rows.shape[2:]), columns=SHOWN))
        axes.set_axis_off()
        return figure

    return Drawing(compute, draw)


def holes(data: Dataset) -> Drawing:
    """The plane of codes, and how far what each place decodes to is from the nearest training image."""
    train, test = (source[np.arange(min(len(source), 2000))] for source in (data.train, data.test))

    def compute(view: View) -> dict[str, Array]:
        codes = view("encoder", jnp.asarray(train["image"]))
        low, high = jnp.min(codes, 0), jnp.max(codes, 0)
        middles = (jnp.arange(CELLS) + 0.5) / CELLS
        places = jnp.stack(jnp.meshgrid(middles, middles[::-1]), -1).reshape(-1, 2) * (high - low) + low
        again = view("decoder", view("encoder", jnp.asarray(test["image"])))
        return {"codes": codes, "decoded": view("decoder", places), "reconstructed": again}

    def distances(images: np.ndarray) -> np.ndarray:
        return cdist(images.reshape(len(images), -1), train["image"].reshape(len(train["image"]), -1)).min(1)

    def farther(found: Mapping[str, np.ndarray]) -> tuple[np.ndarray, float]:
        """Distances of places, `[CELLS**2]`, and that which 95 % of held-out reconstructions stay within."""
        return distances(found["decoded"]), float(np.quantile(distances(found["reconstructed"]), 0.95))

    def draw(found: Mapping[str, np.ndarray]) -> Figure:
        figure = new_figure(12, 4)
        plane, gaps, made = figure.subplots(1, 3)
        plane.scatter(*found["codes"].T, c=train["label"], s=3, cmap="tab10", linewidths=0)
        plane.set(title="codes of training digits, by class")
        far, limit = farther(found)
        picture = gaps.imshow(far.reshape(CELLS, CELLS), cmap="magma")
        gaps.set(title=f"distance to the nearest digit; {np.mean(far > limit):.0%} in holes", xticks=[], yticks=[])
        figure.colorbar(picture, ax=gaps, shrink=0.8)
        images = found["decoded"].reshape(CELLS, CELLS, *train["image"].shape[1:])[::2, ::2]
        made.imshow(grid(images.reshape(-1, *images.shape[2:]), columns=CELLS // 2, padding=0, scale=2))
        made.set(title="what places decode to")
        made.set_axis_off()
        return figure

    def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        far, limit = farther(found)
        return {"share_of_holes": float(np.mean(far > limit)), "reconstruction_distance": limit}

    return Drawing(compute, draw, numbers)


def drawings(config: Config, data: Dataset) -> dict[str, Any]:
    """Of one that denoises and of one whose codes lie on a plane."""
    found = {"denoised": denoised(data, config.noise)} if config.noise else {}
    return found | ({"holes": holes(data)} if config.latent_size == 2 and "label" in data.spec else {})


def experiment(config: Config) -> Experiment:
    """Squared error; no density, and so no prior to draw from."""
    data = signed(config.load())
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    hidden = (config.hidden, config.hidden)
    return Experiment(
        method=autoencoder(
            Net(Flat(MLP(config.latent_size, hidden, dtype=config.dtype)), optimizer, ema_decay=0.999),
            Net(MLP(int(np.prod(data.spec["image"].shape)), hidden, dtype=config.dtype), optimizer, ema_decay=0.999),
            noise=config.noise,
        ),
        data=data,
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings=drawings(config, data),
    )
