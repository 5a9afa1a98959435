"""MADE's masks, and the paths that they leave: from every element to those after it, and to no other.

`jaxgen train made_masks`
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demonstrations import Demonstration, drawn
from flow_jacobians import SIZE, bent
from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.layers.made import MADE, MaskedDense
from jaxgen.methods.flow.flow import flow
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Germain et al., 2015"
MEASURED = {"bent": "4 paths or more from earlier elements, none from others"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 500
    """Training steps."""


WIDTHS = (14, 14)  # two units a degree


def seen_by(change: Callable[[np.ndarray], np.ndarray], masks: list[np.ndarray]) -> Any:
    """A context in which layers have the masks that `change` makes of theirs, which `masks` then holds."""

    def intercept(layer: Callable, args: tuple, kwargs: Mapping[str, Any], context: Any) -> Any:
        if isinstance(context.module, MaskedDense) and context.method_name == "__call__":
            masks.append(change(args[1]))
            args = (args[0], masks[-1])
        return layer(*args, **kwargs)

    return nn.intercept_methods(intercept)


def measure(view: View) -> dict[str, Any]:
    """The masks, and how far each output hears each input, `[SIZE, SIZE]`: as they are, and with none."""

    def heard(x: Array) -> Array:
        """Of the largest gradient over 200 points."""
        jacobian = jax.jacfwd(lambda x: view("flow", x[None], method="inverse_and_log_det")[0][0])
        return jnp.max(jnp.abs(jax.vmap(jacobian)(x)), 0)

    x, masks = jnp.asarray(bent(np.random.default_rng(2), 200)["x"]), []
    with seen_by(np.asarray, masks):
        masked = heard(x)
    with seen_by(np.ones_like, []):
        dense = heard(x)
    *hidden, last = (jnp.asarray(mask, jnp.float32) for mask in masks)
    return {"masks": [*hidden, last[:, :SIZE]], "masked": masked, "dense": dense}


def paths(masks: list[np.ndarray]) -> np.ndarray:
    """How many ways lead from each input to each output, `[SIZE, SIZE]`."""
    return np.linalg.multi_dot(masks)


def draw(found: Mapping[str, Any]) -> Figure:
    """Masks, and the paths in numbers."""
    figure = new_figure(11, 4)
    sizes = [mask.shape[0] for mask in found["masks"]] + [SIZE]
    layers = len(found["masks"])
    *panels, product = figure.subplots(1, layers + 1)
    for index, (axes, mask) in enumerate(zip(panels, found["masks"], strict=True)):
        _squares(axes, mask.T)
        names = [f"{'input' if index == 0 else 'unit'} of {sizes[index]}", f"unit of {sizes[index + 1]}"]
        axes.set(xlabel=names[0], ylabel="output of 8" if index == layers - 1 else names[1], xticks=[], yticks=[])
        axes.set_title(f"mask {index + 1}")
    count = paths(found["masks"]).T
    _squares(product, count > 0)
    for (row, column), ways in np.ndenumerate(count):
        if ways:
            product.text(column + 0.5, row + 0.5, f"{ways:.0f}", ha="center", va="center", color="white", fontsize=7)
    product.set(xlabel="input of 8", ylabel="output of 8", xticks=[], yticks=[], title="paths: their product")
    return figure


def _squares(axes: Axes, there: np.ndarray) -> None:
    axes.pcolormesh(there, cmap="Greys", vmin=0, vmax=1.4, edgecolors="white", linewidth=0.7)
    axes.set_aspect("equal")
    axes.invert_yaxis()


def numbers(found: Mapping[str, Any]) -> Mapping[str, float]:
    """Paths that should be and those that should not, and what is heard along them by the network, and unmasked."""
    count = paths(found["masks"])  # [input, output]
    earlier = np.triu(np.ones((SIZE, SIZE), bool), 1)
    heard, unmasked = (np.abs(found[name] - np.diag(np.diag(found[name]))).T for name in ("masked", "dense"))
    return {
        "paths_from_earlier": count[earlier].min(),
        "paths_from_others": count[~earlier].max(),
        "heard_from_later": heard[~earlier].max(),
        "heard_from_earlier": heard[earlier].max(),
        "unmasked_heard_from_later": unmasked[~earlier].max(),
    }


def experiment(config: Config) -> Experiment:
    """A flow of one masked layer, of data in which every element follows from the one before."""
    layer = Autoregressive(MADE(WIDTHS, config.dtype))
    return Experiment(
        method=flow(Net(layer, optax.flatten(optax.adam(config.learning_rate))), event_shape=(SIZE,)),
        data=drawn("bent", bent),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"masks": Drawing(measure, draw, numbers)},
    )
