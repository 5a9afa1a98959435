"""What is said of networks beside their losses: figures, bounds of log p(x), warnings and pictures."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from jaxgen.view import Array, Batch, View


@dataclasses.dataclass(frozen=True)
class Evidence:
    """How log p(x) of latent variables is bracketed, on the field `image`: see `jaxgen.quality.bracket`.

    Attributes:
      log_weight: `(view, batch, key) -> [batch]`, log p(x, z) - log q(z|x) of one draw of q, nats.
      means: `(view, batch) -> [batch, units]`, the mean of q(z|x), of which some units hear nothing of x; None where
        there is no such mean.
      gaussian: `(view, batch) -> (mean, log_variance)` of q(z|x), `[batch, size]` each, where it is a Gaussian.
      log_joint: `(view, batch, z [batch, size]) -> (log p(z), log p(x|z))`, `[batch]` each, for chains that move z;
        None where z is no vector of real numbers.
      draw: `(view, key, count) -> (z [count, size], batch)`, from p(z) and p(x|z); goes with `log_joint`.
    """

    log_weight: Callable[[View, Batch, Array], Array]
    means: Callable[[View, Batch], Array] | None = None
    gaussian: Callable[[View, Batch], tuple[Array, Array]] | None = None
    log_joint: Callable[[View, Batch, Array], tuple[Array, Array]] | None = None
    draw: Callable[[View, Array, int], tuple[Array, Batch]] | None = None


@dataclasses.dataclass(frozen=True)
class Watch:
    """What training looks at with every row of metrics, and says once when it is too large.

    Attributes:
      name: of the metric, `<network>/<name>`.
      compute: `(view, batch, key) -> scalar` of the step's batch and the networks it left behind.
      limit: the largest value that goes without a warning.
      advice: what to do about a larger one.
    """

    name: str
    compute: Callable[[View, Batch, Array], Array]
    limit: float
    advice: str


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A figure of a whole set, which is no mean over examples: accuracy of clusters, expected return, a distance.

    Attributes:
      name: of the figure; `compute` may add others beginning with it.
      compute: `(model, data) -> {figure: number}` on the host; `model` samples and applies the networks
        (`jaxgen.training.model.Model`), `data` is the data set.
      every: steps between evaluations while training; None evaluates at the end only.
      nulls: name of a null control -> the like of `compute`, given the untrained model: what a figure is worth stands
        beside what costs nothing.
    """

    name: str
    compute: Callable[[Any, Any], Mapping[str, float]]
    every: int | None = None
    nulls: Mapping[str, Callable[[Any, Any], Mapping[str, float]]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A picture of what the networks have learned, made when training ends.

    Attributes:
      compute: `view -> arrays`, compiled, with averaged weights where they are kept.
      draw: those arrays, in NumPy, to a matplotlib `Figure`.
      numbers: those arrays to `{figure: number}`, what the picture shows in numbers; `eval.json` keeps them as `drawn`.
    """

    compute: Callable[[View], Any]
    draw: Callable[[Any], Any]
    numbers: Callable[[Any], Mapping[str, float]] = lambda arrays: {}
