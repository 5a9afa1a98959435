"""Two moons with labels, and moons turned by 35 degrees whose labels nobody tells: what adaptation does to features.

`jaxgen train turned_moons`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from demonstrations import Demonstration, drawn
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.losses.adaptation import reversal_schedule
from jaxgen.methods.adversarial.domain_adaptation import domain_adversarial
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Ganin et al., 2016, figure 2"
MEASURED = {"turned_moons": "0.908 of the turned moons right, by the source alone 0.720 (seed 0)"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 3000
    """Training steps."""
    strength: float = 1.0
    """What the strength of the reversed gradient grows to."""


DEGREES, POINTS = 35.0, 500
WAYS = ("source alone", "adapted")


def moons(degrees: float, rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Points of the upper moon, label 0, and of the lower one, turned about their middle."""
    label = rng.integers(0, 2, count)
    angle = np.pi * rng.uniform(size=count)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    x = np.where(label[:, None] == 0, upper, [1, 0.5] - upper) - [0.5, 0.25] + 0.1 * rng.normal(size=(count, 2))
    turn = np.radians(degrees)
    x = x @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return {"x": x.astype(np.float32), "label": label.astype(np.int32)}


SEEN = {
    name: moons(degrees, np.random.default_rng(2), POINTS) for name, degrees in (("source", 0), ("target", DEGREES))
}
MAP = np.stack(np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-2, 2, 81)), -1).reshape(-1, 2).astype(np.float32)


def measure(view: View) -> dict[str, dict[str, Array]]:
    """By way: features of both domains `[POINTS, 16]`, and the class's logit over the plane and at the points."""
    found = {}
    for name in WAYS:
        own = part(view, name)

        def logit(x: Any, own: View = own) -> Array:
            logits = own("classifier", own("features", jnp.asarray(x))).astype(jnp.float32)
            return logits[:, 1] - logits[:, 0]

        features = {f"features_{of}": own("features", jnp.asarray(SEEN[of]["x"])) for of in SEEN}
        found[name] = {**features, "map": logit(MAP), **{f"logit_{of}": logit(SEEN[of]["x"]) for of in SEEN}}
    return found


def draw(found: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Above, the plane with each way's boundary; below, the two largest axes of its features."""
    figure = new_figure(8, 7.6)
    for column, name in enumerate(WAYS):
        of = found[name]
        plane, below = (figure.add_subplot(2, 2, 2 * row + column + 1) for row in (0, 1))
        plane.contour(np.linspace(-2, 2, 81), np.linspace(-2, 2, 81), of["map"].reshape(81, 81), [0], colors="k")
        accuracy = ((of["logit_target"] > 0) == SEEN["target"]["label"]).mean()
        plane.set(title=f"{name}: {accuracy:.0%} of the target right", xticks=[], yticks=[], aspect="equal")
        features = np.concatenate([of["features_source"], of["features_target"]])
        axes = PCA(2).fit(features)
        for domain, marker, alpha in (("source", "o", 0.35), ("target", "^", 0.9)):
            seen, flat = SEEN[domain], axes.transform(of[f"features_{domain}"])
            for label, colour in enumerate(("#2563b0", "#c2410c")):
                mine, style = seen["label"] == label, {"s": 9, "alpha": alpha, "linewidths": 0, "c": colour}
                plane.scatter(*seen["x"][mine].T, marker=marker, **style)
                below.scatter(*flat[mine].T, marker=marker, label=f"{domain}, class {label}", **style)
        below.set(title="its features", xticks=[], yticks=[])
    figure.axes[1].legend(fontsize=7)
    return figure


def numbers(found: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Accuracies, and how well a linear reader of the features tells the domains, of points it was not fitted to."""
    figures, domain = {}, np.repeat([0, 1], POINTS)
    fitted = np.arange(2 * POINTS) % 2 == 0
    for name in WAYS:
        features = np.concatenate([found[name]["features_source"], found[name]["features_target"]])
        reader = LogisticRegression(max_iter=1000).fit(features[fitted], domain[fitted])
        short = name.split()[0]
        figures[f"domains_told_{short}"] = reader.score(features[~fitted], domain[~fitted])
        for of, seen in SEEN.items():
            figures[f"{of}_accuracy_{short}"] = ((found[name][f"logit_{of}"] > 0) == seen["label"]).mean()
    return figures


class Features(nn.Module):
    """Two rectified layers: `[batch, 2]` to `[batch, 16]`."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.tanh(MLP(16, (64,), dtype=self.dtype)(x))


def experiment(config: Config) -> Experiment:
    """The same networks twice: with the reversed gradient, and without."""
    adam = optax.flatten(optax.adam(config.learning_rate))

    def strength(most: float) -> Any:
        return lambda step: most * reversal_schedule(step / config.steps)

    methods = {
        name: domain_adversarial(
            Net(Features(config.dtype), adam),
            Net(MLP(2, (), dtype=config.dtype), adam),
            Net(MLPCritic(hidden=(32,), dtype=config.dtype), adam),
            strength=strength(most),
            field="x",
        )
        for name, most in zip(WAYS, (0.0, config.strength), strict=True)
    }
    streams = {
        of: drawn("turned_moons", lambda rng, count, degrees=degrees: moons(degrees, rng, count))
        for of, degrees in (("source", 0.0), ("target", DEGREES))
    }
    return Experiment(
        method=side_by_side(methods),
        data=Dataset.streams(**streams),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"features": Drawing(measure, draw, numbers)},
    )
