"""The Jacobians of three flows: a coupling's has blocks, an autoregressive one's a triangle, a planar one's one bend.

`jaxgen train flow_jacobians`
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration, drawn
from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Invert
from jaxgen.bijectors.conditioner import DenseConditioner
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.planar import Planar
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.layers.made import MADE
from jaxgen.methods.flow.flow import flow
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Dinh et al., 2017; Germain et al., 2015; Rezende & Mohamed, 2015"
MEASURED = {"bent": "no entry where none should be, log-determinants right within 1e-4"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 1000
    """Training steps."""


SIZE = 8


def bent(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Two clouds, in which each element is bent by the square of the one before it, `[count, SIZE]`."""
    noise, side = rng.normal(size=(count, SIZE)), rng.choice([-1.0, 1.0], count)
    x = [noise[:, 0]]
    for i in range(1, SIZE):
        x.append(np.clip(np.square(x[-1]) - 1, -2, 2) / 2 + noise[:, i])
    return {"x": (np.stack(x, 1) + side[:, None]).astype(np.float32)}


def layers(dtype: str) -> Mapping[str, Bijector]:
    """One layer of each kind."""
    return {
        "coupling": Coupling(DenseConditioner((64,), dtype)),
        "autoregressive": Autoregressive(MADE((64,), dtype)),
        "planar": Invert(Planar()),
    }


NAMES = ("coupling", "autoregressive", "planar")


def measure(view: View) -> dict[str, Array]:
    """dz/dx of each flow where it bends the most of 200 points, `[flows, SIZE, SIZE]`, and its own log-determinant."""
    x = jnp.asarray(bent(np.random.default_rng(2), 200)["x"])

    def most_bent(name: str) -> tuple[Array, Array]:
        def to_base(x: Array) -> tuple[Array, Array]:
            z, log_det = part(view, name)("flow", x[None], method="inverse_and_log_det")
            return z[0], log_det[0]

        jacobians, log_dets = jax.vmap(jax.jacfwd(to_base, has_aux=True))(x)
        where = jnp.argmax(jnp.sum(jnp.square(jacobians - jnp.eye(SIZE)), (1, 2)))
        return jacobians[where], log_dets[where]

    jacobians, log_dets = zip(*map(most_bent, NAMES), strict=True)
    return {"jacobian": jnp.stack(jacobians), "log_det": jnp.stack(log_dets)}


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """Entries as colours, red above zero and blue below."""
    figure = new_figure(10, 3.6)
    most = np.abs(found["jacobian"]).max()
    for axes, name, jacobian in zip(figure.subplots(1, 3), NAMES, found["jacobian"], strict=True):
        picture = axes.imshow(jacobian, cmap="RdBu_r", vmin=-most, vmax=most)
        log_det = np.linalg.slogdet(jacobian.astype(np.float64))[1]
        axes.set(title=f"{name}: log|det| {log_det:.3f}", xlabel="of x", ylabel="z", xticks=[], yticks=[])
    figure.colorbar(picture, ax=figure.axes, shrink=0.8)
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    """What should be nothing of each kind, and the most by which a flow errs about its log-determinant."""
    coupling, autoregressive, planar = found["jacobian"].astype(np.float64)
    stays = np.where(np.abs(coupling - np.eye(SIZE)).max(1) == 0)[0]
    moves = np.setdiff1d(np.arange(SIZE), stays)
    among = coupling[np.ix_(moves, moves)]
    bends = np.linalg.svd(planar - np.eye(SIZE), compute_uv=False)
    exact = [np.linalg.slogdet(jacobian)[1] for jacobian in (coupling, autoregressive, planar)]
    return {
        "coupling_left_alone": len(stays),
        "coupling_off_diagonal": np.abs(among - np.diag(np.diag(among))).max(),
        "autoregressive_above_diagonal": np.abs(np.triu(autoregressive, 1)).max(),
        "autoregressive_below_diagonal": np.abs(np.tril(autoregressive, -1)).max(),
        "planar_bend": bends[0],
        "planar_second_bend": bends[1],
        "log_det_error": np.abs(found["log_det"] - exact).max(),
    }


def experiment(config: Config) -> Experiment:
    """One layer each, which is not enough for such data, and bends it all the same."""
    adam = optax.flatten(optax.adam(config.learning_rate))
    methods = {name: flow(Net(layer, adam), event_shape=(SIZE,)) for name, layer in layers(config.dtype).items()}
    return Experiment(
        method=side_by_side(methods),
        data=drawn("bent", bent),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"jacobians": Drawing(measure, draw, numbers)},
    )
