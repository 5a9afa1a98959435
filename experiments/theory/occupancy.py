"""Imitation in a small world: matching where the expert is brings back who has strayed, copying what it does does not.

`jaxgen train occupancy`
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import nothing
from head import Training
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses import control
from jaxgen.losses.adversarial import jensen_shannon
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Ho & Ermon, 2016, section 4"
MEASURED = {"nothing": "return 0.50 by occupancy, 0.39 by moves copied; expert 0.60, at random 0.01"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 600
    """Moves."""
    batch_size: int = 1
    """Of no meaning here."""
    learning_rate: float = 0.1
    """Adam's step size at the start; it falls to nothing along a cosine."""


SIDE, DISCOUNT, SLIP = 7, 0.95, 0.15
START, GOAL = SIDE * (SIDE // 2), SIDE * (SIDE // 2) + SIDE - 1  # the middles of the left and right edges
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


def world() -> np.ndarray:
    """Where each move leads, `[states, actions, states]`: SLIP of them any way at random; walls hold."""
    cells = np.stack(np.divmod(np.arange(SIDE**2), SIDE), 1)
    to = np.clip(cells[:, None] + np.array(MOVES), 0, SIDE - 1) @ np.array([SIDE, 1])
    sure = np.eye(SIDE**2)[to.astype(int)]
    return ((1 - SLIP) * sure + SLIP * sure.mean(1, keepdims=True)).astype(np.float32)


TRANSITION = world()
FIRST = np.eye(SIDE**2, dtype=np.float32)[START]
REWARD = np.eye(SIDE**2, dtype=np.float32)[GOAL]


@functools.cache
def expert() -> np.ndarray:
    """The policy of most return, `[states, actions]`; where two moves are as good it takes either."""
    with jax.ensure_compile_time_eval():  # also where a training step is being traced
        values = np.asarray(control.action_values(TRANSITION, REWARD, DISCOUNT, steps=400))
    best = (values > values.max(1, keepdims=True) - 1e-4).astype(np.float32)
    return best / best.sum(1, keepdims=True)


@functools.cache
def seen() -> np.ndarray:
    """How often one episode of the expert was where, doing what, `[states, actions]`, discounted; it sums to one."""
    rng, found, state = np.random.default_rng(0), np.zeros((SIDE**2, len(MOVES)), np.float32), START
    for step in range(200):
        action = rng.choice(len(MOVES), p=expert()[state])
        found[state, action] += DISCOUNT**step
        state = rng.choice(SIDE**2, p=TRANSITION[state, action])
    return found / found.sum()


class Policy(nn.Module):
    """Probabilities `[states, actions]`, of each state's own; all begin alike."""

    @nn.compact
    def __call__(self) -> jax.Array:
        return jax.nn.softmax(self.param("logits", nn.initializers.zeros, (SIDE**2, len(MOVES))))


def visits(policy: Array) -> Array:
    """How often a policy is where, doing what, `[states, actions]`, by a linear solve."""
    return control.occupancy(TRANSITION, FIRST, policy, DISCOUNT)


def imitation(policy: Net) -> Method:
    """Two learners of one episode: of what is done where, and of how often; the latter is GAIL with its best critic."""

    def clone(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        return -jnp.sum(seen() * jnp.log(view("cloned"))), Aux()

    def match(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        return jensen_shannon(visits(view("matched")).ravel(), seen().ravel()), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {name: module.init(key) for name, module in modules.items()}

    phases = Phase("clone", ("cloned",), clone), Phase("match", ("matched",), match)
    return Method("imitation", {"cloned": policy, "matched": policy}, phases, init, None, lambda *_: {})


NAMES = {"expert": "the expert", "matched": "occupancy matched", "cloned": "moves copied", "uniform": "at random"}


def measure(view: View) -> dict[str, Array]:
    """Visits of each policy, `[states, actions]`, and those in the episode."""
    policies = {"expert": jnp.asarray(expert()), "matched": view("matched"), "cloned": view("cloned")}
    policies["uniform"] = jnp.full_like(policies["expert"], 1 / len(MOVES))
    return {"episode": jnp.asarray(seen()), **{name: visits(policy) for name, policy in policies.items()}}


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """Maps of how often each cell is visited."""
    figure = new_figure(12, 2.9)
    names = {"episode": "one episode of the expert", **NAMES}
    for axes, (name, title) in zip(figure.subplots(1, len(names)), names.items(), strict=True):
        cells = found[name].sum(1)
        axes.imshow(np.sqrt(cells).reshape(SIDE, SIDE), cmap="viridis", vmin=0, vmax=0.6)
        for cell, letter in ((START, "S"), (GOAL, "G")):
            row, column = divmod(cell, SIDE)
            axes.text(column, row, letter, color="black" if cells[cell] > 0.2 else "white", ha="center", va="center")
        axes.set_title(title, fontsize=9)
        axes.set(xticks=[], yticks=[], xlabel=f"at G {cells[GOAL]:.0%} of the time")
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    """How much of its time, discounted, each is at the goal, which is the return; and how far from the episode."""
    returns = {f"return_{name}": found[name].sum(1)[GOAL] for name in NAMES}
    apart = {f"apart_{name}": jensen_shannon(found[name].ravel(), found["episode"].ravel()) for name in NAMES}
    return {**returns, **{name: float(nats) for name, nats in apart.items()}}


def experiment(config: Config) -> Experiment:
    """No network beyond a table."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    return Experiment(
        method=imitation(Net(Policy(), optax.adam(rate))),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"visits": Drawing(measure, draw, numbers)},
    )
