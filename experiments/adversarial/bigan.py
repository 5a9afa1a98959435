"""BiGAN: an encoder that learns to invert the generator.

`jaxgen train bigan`; where there are labels, which training does not see, the encoder's codes are judged by them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from games import OTHER, Game, played
from head import signed, strided
from jaxgen.core import Array, Evaluation, Net, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.metrics.one_neighbor import neighbor_accuracy, two_sample_accuracy
from jaxgen.models.adversarial.bigan import Encoder, PairCritic
from jaxgen.models.adversarial.dcgan import Generator, Trunk

NEEDS = "images"
PAPER = "Donahue et al., 2017; Dumoulin et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    learning_rate: float = 2e-4
    """Adam's step size, for all networks."""


PRESETS = {"digits": Config(), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """Reconstructions count beside those of random images, and codes beside those of an encoder that knows nothing."""
    data = signed(strided(config.load()))
    adam, latents = optax.adam(config.learning_rate, b1=0.5), config.latent_size
    trunk = Trunk(config.width, config.dtype)
    method = bigan(
        Net(Generator(data.spec["image"].shape, config.width, config.dtype), adam, ema_decay=0.999),
        Net(Encoder(trunk, latents, config.dtype), adam, ema_decay=0.999),
        Net(PairCritic(Trunk(config.width, config.dtype, normalization=None), dtype=config.dtype), adam),
        adversarial.non_saturating,
        prior=normal(latents),
    )
    figures = [Evaluation("two_sample", told_apart, nulls={"untrained": told_apart, "real": halves_told_apart})]
    if "label" in data.spec:
        figures.append(Evaluation("neighbor", of_codes, nulls={"untrained": of_codes, "pixels": of_pixels}))
    return played(config, data, dataclasses.replace(method, evaluations=tuple(figures)))


_apart, _accuracy = jax.jit(two_sample_accuracy), jax.jit(neighbor_accuracy)


def told_apart(model: Any, data: Any) -> Mapping[str, float]:
    """How often nearest neighbours among pixels tell held-out images from samples, and from others' reconstructions."""
    real, others = _halves(data)
    made = model.sample(jax.random.key(0), len(real)), model.apply(_reconstructed, others)
    names = "two_sample_accuracy", "two_sample_accuracy_of_reconstructions"
    return {name: _told_apart(real, images) for name, images in zip(names, made, strict=True)}


def halves_told_apart(model: Any, data: Any) -> Mapping[str, float]:
    """The same of two halves of the held-out images, which differ by chance alone."""
    return {"two_sample_accuracy": _told_apart(*_halves(data))}


def of_codes(model: Any, data: Any) -> Mapping[str, float]:
    """How often the nearest training image by code is of a held-out image's class.

    An untrained encoder does nearly as well, as it did in the paper's own code: the figure is nothing without it.
    """
    (train, test), labels = _labelled(data)
    of_train, of_test = model.apply(_encoded, train), model.apply(_encoded, test)
    return {"neighbor_accuracy": float(_accuracy(of_test, labels[1], of_train, labels[0]))}


def of_pixels(model: Any, data: Any) -> Mapping[str, float]:
    """The same by pixels."""
    (train, test), labels = _labelled(data)
    return {"neighbor_accuracy": float(_accuracy(_flat(test), labels[1], _flat(train), labels[0]))}


def _halves(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Held-out images, at most 1,000, and as many others."""
    count = min(len(data.test) // 2, 1000)
    images = data.test[np.random.default_rng(0).permutation(len(data.test))[: 2 * count]]["image"]
    return images[:count], images[count:]


def _labelled(data: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """At most 2,000 training and held-out images, and their labels."""
    found = [source[np.arange(min(len(source), 2000))] for source in (data.train, data.test)]
    return [examples["image"] for examples in found], [examples["label"] for examples in found]


def _told_apart(real: np.ndarray, made: np.ndarray) -> float:
    return float(_apart(_flat(real), _flat(made)))


def _flat(images: np.ndarray) -> np.ndarray:
    return np.asarray(images).reshape(len(images), -1)


def _encoded(view: View, images: Array) -> Array:
    return view("encoder", images).astype(jnp.float32)


def _reconstructed(view: View, images: Array) -> Array:
    return view("generator", view("encoder", images)).astype(jnp.float32)
