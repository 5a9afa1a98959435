"""Path length's two facts, on linear generators: what it measures is a Frobenius norm, and where it rests all ways of w
move the image equally far.

`jaxgen train path_lengths`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure

from demonstrations import Demonstration, nothing
from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses.penalties import path_length
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Karras et al., 2020, section 3.2 and appendix C"
MEASURED = {"nothing": "E |Aᵀy|² is |A|² within 0.6 % over 24 maps (seed 0)"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 2000
    """Training steps."""
    learning_rate: float = 1e-2
    """Adam's step size, which falls to nothing along a cosine."""


IMAGE, WAYS = (4, 4, 1), 6  # of images, and of w
MAPS, DRAWS = 24, 200_000
_RNG = np.random.default_rng(0)
# Maps from w to pixels, [maps, WAYS, pixels], some of few ways only and some a hundred times as large as others.
RANDOM = (
    _RNG.normal(size=(MAPS, WAYS, 16))
    * _RNG.uniform(size=(MAPS, WAYS, 1)) ** 3
    * np.logspace(-1, 1, MAPS)[:, None, None]
)
# One that is to be trained, whose ways are between 0.2 and 2 long.
START = np.geomspace(0.2, 2, WAYS)[:, None] * np.linalg.qr(_RNG.normal(size=(16, WAYS)))[0].T


class Linear(nn.Module):
    """`[batch, WAYS]` to images."""

    dtype: Any = None

    @nn.compact
    def __call__(self, w: Array) -> Array:
        kernel = self.param("kernel", lambda key: jnp.asarray(START, jnp.float32))
        return jnp.matmul(w.astype(self.dtype or w.dtype), kernel.astype(self.dtype or w.dtype)).reshape(-1, *IMAGE)


def lengths(kernel: Array, key: Array, count: int) -> tuple[Array, Array]:
    """Means of `|J^T y|` and of its square over so many random images y, by the penalty's own code: `[]` each."""

    def images(w: Array) -> Array:
        return jnp.matmul(w, kernel, precision="highest").reshape(-1, *IMAGE)

    spread, mean = path_length(images, jnp.zeros((count, WAYS)), key, 0.0, decay=1.0)
    return mean, jnp.mean(spread) + mean**2


def measure(view: View) -> dict[str, Array]:
    """Mean squares of random maps, the trained map, and lengths of 20,000 of y under it and under what it was."""
    maps, keys = jnp.asarray(RANDOM, jnp.float32), jax.random.split(jax.random.key(0), MAPS)
    squares = jax.lax.map(lambda pair: lengths(pair[0], pair[1], DRAWS)[1], (maps, keys))
    ends = {"before": jnp.asarray(START, jnp.float32), "after": view.params["generator"]["kernel"]}
    y = jax.random.normal(jax.random.key(1), (20_000, 16)) / 4
    return {
        "squares": squares,
        **ends,
        **{f"lengths_{name}": jnp.linalg.norm(y @ a.T, axis=1) for name, a in ends.items()},
    }


def regularized(generator: Net) -> Method:
    """A generator that nothing moves but its paths' length."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key)
        w = jax.random.normal(keys[0], (len(batch["x"]), WAYS))
        penalty, mean = path_length(lambda w: view("generator", w), w, keys[1], view.memory["path_length"])
        return jnp.mean(penalty), Aux({"length": mean}, memory={"path_length": mean})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"generator": linen.init(modules["generator"], key, jnp.zeros((1, WAYS)))}

    return Method(
        "path length",
        {"generator": generator},
        (Phase("path", ("generator",), loss),),
        init,
        None,
        lambda *_: {},
        memory=lambda key, batch: {"path_length": jnp.zeros(())},
    )


def exact() -> np.ndarray:
    """`|A|_F^2` over the number of pixels, `[maps]`."""
    return np.square(RANDOM).sum((1, 2)) / 16


def ways(kernel: np.ndarray) -> np.ndarray:
    """Singular values, relative to their mean, the largest first: `[WAYS]`."""
    values = np.linalg.svd(kernel, compute_uv=False)
    return values / values.mean()


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """What is estimated over what is known; how far the ways of w move an image; how long paths are."""
    figure = new_figure(11, 3.6)
    known, singular, long = figure.subplots(1, 3)
    known.loglog(exact(), exact(), "k:", label="equal")
    known.loglog(exact(), found["squares"], "o", label=f"{DRAWS:,} of y")
    known.set(xlabel="|A|² over the pixels", ylabel="E |Aᵀy|²", title="random maps")
    known.legend()
    for index, name in enumerate(("before", "after")):
        singular.bar(np.arange(WAYS) + 0.4 * index, ways(found[name]), 0.4, label=name)
        relative = found[f"lengths_{name}"] / found[f"lengths_{name}"].mean()
        long.hist(relative, bins=60, range=(0, 3), density=True, alpha=0.6, label=name)
    singular.set(xlabel="way of w", title="singular values over their mean")
    long.set(xlabel="|Aᵀy| over its mean", title="lengths of paths")
    singular.legend()
    long.legend()
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The largest relative error of a mean square; the largest over the least singular value; lengths' relative spread.

    Of six equal ways the spread is that of a chi distribution of six degrees, 0.2917.
    """
    figures = {"frobenius_error": float(np.abs(found["squares"] / exact() - 1).max())}
    for name in ("before", "after"):
        values, of_paths = ways(found[name]), found[f"lengths_{name}"]
        figures |= {
            f"ratio_{name}": float(values[0] / values[-1]),
            f"spread_{name}": float(of_paths.std() / of_paths.mean()),
        }
    return figures


def experiment(config: Config) -> Experiment:
    """The penalty alone, of y as many as the batch."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    return Experiment(
        method=regularized(Net(Linear(config.dtype), optax.adam(rate))),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"paths": Drawing(measure, draw, numbers)},
    )
