"""One VAE after another that differs by the length of its z, or by what its divergence weighs, all on the same batches.

`jaxgen train vae_sweep --vary latent_size` or `--vary beta`
"""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxgen.core import Array, Drawing, Method, View
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.report.figure import new_figure
from jaxgen.report.grid import grid
from jaxgen.training.schedule import Schedule
from vae import Config as Single
from vae import fitted

NEEDS = "images"
PAPER = "Kingma & Welling, 2014, figure 5; Higgins et al., 2017"
MEASURED = {"digits": "2.158, 2.023, 1.982 and 1.981 test bits/dim with 2, 5, 10 and 20 latents (1 seed, 2 CPU cores)"}
SIZES, BETAS = (2, 5, 10, 20), (0.02, 1.0, 20.0)
EXAMPLES = 8  # of each that are drawn


@dataclasses.dataclass(frozen=True)
class Config(Single):
    """Settings."""

    vary: Literal["latent_size", "beta"] = "latent_size"
    """What differs: the length of z, which is 2, 5, 10 or 20; or the weight of the divergence, 0.02, 1 or 20."""


PRESETS = {"digits": Config()}


def variants(config: Config) -> Mapping[str, tuple[Config, float]]:
    """Settings and beta of each."""
    if config.vary == "beta":
        return {f"beta {beta:g}": (config, beta) for beta in BETAS}
    return {f"{size} latents": (dataclasses.replace(config, latent_size=size), 1.0) for size in SIZES}


def rows(methods: Mapping[str, Method], data: Dataset) -> Drawing:
    """Held-out images, what becomes of them in each, and samples of each."""

    def compute(view: View) -> dict[str, Array]:
        batch, shown = data.test[np.arange(EXAMPLES)], {}
        for name, method in methods.items():
            own, latents = part(view, name), method.latents
            assert latents is not None
            assert latents.encode is not None
            again = latents.decode(own, latents.encode(own, batch), jax.random.key(0))
            shown[name] = jnp.concatenate([again, method.sample(own, jax.random.key(0), EXAMPLES)])
        pixels = data.fields["image"]
        examples = 2 * (jnp.asarray(batch["image"], jnp.float32) - pixels.low) / (pixels.high - pixels.low) - 1
        return {"examples": examples, **shown}

    def draw(found: Mapping[str, np.ndarray]) -> Figure:
        names = "examples", *methods
        figure = new_figure(10, 0.65 * len(names) + 0.3)
        for index, name in enumerate(names):
            for half, title in enumerate(("held out, and again", "samples")):
                axes = figure.add_subplot(len(names), 2, 2 * index + half + 1)
                axes.set(xticks=[], yticks=[], frame_on=False)
                if index == 0:
                    axes.set_title(title, fontsize=10)
                if half == 0:
                    axes.set_ylabel(name, rotation=0, ha="right", va="center")
                images = found[name][half * EXAMPLES :][:EXAMPLES]
                if len(images):
                    axes.imshow(grid(images, columns=EXAMPLES))
        return figure

    def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Of the pictures of each: how far from the examples, and how varied, as shares of the examples' variety.

        Variety is the mean square distance of a pixel from its mean over the images.
        """

        def variety(images: np.ndarray) -> float:
            return float(np.mean(np.square(images - images.mean(0))))

        figures, examples = {}, found["examples"]
        for name in methods:
            again, samples = found[name][:EXAMPLES], found[name][EXAMPLES:]
            figures[f"{name}.again_apart"] = float(np.mean(np.square(again - examples))) / variety(examples)
            figures[f"{name}.again_varied"] = variety(again) / variety(examples)
            figures[f"{name}.samples_varied"] = variety(samples) / variety(examples)
        return figures

    return Drawing(compute, draw, numbers)


def experiment(config: Config) -> Experiment:
    """What each reaches without the weight is what it is held to."""
    methods, data = {}, None
    for name, (own, beta) in variants(config).items():
        methods[name], data = fitted(own, beta)
    assert data is not None
    return Experiment(
        method=side_by_side(methods),
        data=data,
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=500, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"rows": rows(methods, data)},
    )
