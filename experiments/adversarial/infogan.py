"""InfoGAN: a category and two numbers that can be read from the image.

`jaxgen train infogan`; where there are labels, which training does not see, categories are matched with classes.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import rankdata

from clusters import k_means
from codes import codes_drawing
from games import OTHER, Game, played
from head import signed, strided
from jaxgen.core import Array, Evaluation, Net, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.infogan import category, infogan, interval
from jaxgen.methods.adversarial.priors import normal
from jaxgen.metrics.matching import matched_accuracy
from jaxgen.models.adversarial.conditional import Joined
from jaxgen.models.adversarial.dcgan import Generator, Trunk
from jaxgen.models.adversarial.heads import Heads
from strokes import shear

NEEDS = "images"
PAPER = "Chen et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    learning_rate: float = 2e-4
    """Adam's step size for the critic; the generator's is five times as large."""
    categories: int = 10
    """Values of the category."""
    numbers: float = 0.1
    """Weight of what is read of the two numbers; the category's is 1."""


PRESETS = {"digits": Config(), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """The paper's rates."""
    data, count = signed(strided(config.load())), config.categories
    codes = [category("category", count), *(interval(name, config.numbers) for name in ("first", "second"))]
    outputs = {"category": count, "first": 2, "second": 2}
    slow, fast = (optax.adam(rate * config.learning_rate, b1=0.5) for rate in (1, 5))
    critic = Heads(Trunk(config.width, config.dtype), outputs, hidden=128, dtype=config.dtype)
    method = infogan(
        Net(Joined(Generator(data.spec["image"].shape, config.width, config.dtype), count), fast, ema_decay=0.999),
        Net(critic, slow),
        adversarial.non_saturating,
        noise=normal(config.latent_size),
        codes=codes,
    )
    slants = functools.partial(slanted, config.latent_size, count)
    figures = [Evaluation("slant", slants, nulls={"untrained": slants})]
    if "label" in data.spec:
        nulls = {"untrained": matched, "k_means": functools.partial(of_pixels, count)}
        figures.append(Evaluation("matched", matched, nulls=nulls))
    method = dataclasses.replace(method, evaluations=tuple(figures))
    drawing = codes_drawing(method, count, ("first", "second"))
    return dataclasses.replace(played(config, data, method), drawings={"codes": drawing})


def matched(model: Any, data: Any) -> Mapping[str, float]:
    """The accuracy of the categories read from held-out images, matched with their classes."""
    test = data.test[np.arange(len(data.test))]
    return {"matched_accuracy": matched_accuracy(model.apply(_category, test["image"]), test["label"])}


def of_pixels(count: int, model: Any, data: Any) -> Mapping[str, float]:
    """The same of as many clusters of pixels."""
    return {"matched_accuracy": matched_accuracy(k_means(count, data), data.test[np.arange(len(data.test))]["label"])}


def slanted(noise: int, count: int, model: Any, data: Any) -> Mapping[str, float]:
    """How well one of the two numbers orders 1,000 generated images by slant: the larger of two rank correlations."""
    rng = np.random.default_rng(0)
    numbers = rng.uniform(-1, 1, (2, 1000, 1)).astype(np.float32)
    latents = rng.normal(size=(1000, noise)).astype(np.float32), rng.integers(count, size=1000), *numbers
    images = model.apply(_generated, *latents)
    slants = rankdata(shear(images))
    correlations = [np.corrcoef(rankdata(number[:, 0]), slants)[0, 1] for number in numbers]
    return {"slant_correlation": float(np.abs(correlations).max())}


def _generated(view: View, *latents: Array) -> Array:
    return view("generator", *latents).astype(jnp.float32)


def _category(view: View, images: Array) -> Array:
    return jnp.argmax(view("critic", images)[1]["category"], axis=-1)
