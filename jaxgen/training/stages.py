"""Stages of a run: programs between which the host moves on, each with its own method, data and optimizer state."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Method, NetState, TrainState
from jaxgen.data.source import Dataset
from jaxgen.errors import UserError
from jaxgen.training.early_stopping import EarlyStopping
from jaxgen.training.integrity import named

# (the state that the stage before ended with, the stage's own before its first step) -> what it begins with
Carry = Callable[[TrainState, TrainState], TrainState]


def carry_over(old: TrainState, fresh: TrainState) -> TrainState:
    """Parameters, averages, collections and memory that agree by name, shape and type; the rest begins anew.

    So do optimizers. A network that keeps an average which the stage before did not begins it at its parameters.

    Args:
      old: the state that the stage before ended with.
      fresh: the stage's own before its first step.
    """

    def carried(name: str, net: NetState) -> NetState:
        before = old.nets.get(name)
        if before is None:
            return net
        params = _take(before.params, net.params)
        return dataclasses.replace(
            net,
            params=params,
            variables=_take(before.variables, net.variables),
            ema=None if net.ema is None else _take(params if before.ema is None else before.ema, net.ema),
        )

    nets = {name: carried(name, net) for name, net in fresh.nets.items()}
    return dataclasses.replace(fresh, nets=nets, memory=_take(old.memory, fresh.memory))


def not_carried(old: TrainState, fresh: TrainState) -> list[str]:
    """Names of parameters, collections and memory of `fresh` that `carry_over` does not find in `old`."""

    def arrays(state: TrainState) -> dict[str, Any]:
        nets = {name: {"params": net.params, "variables": net.variables} for name, net in state.nets.items()}
        return named({"nets": nets, "memory": state.memory})

    before = arrays(old)
    return [name for name, leaf in arrays(fresh).items() if not _agree(before.get(name), leaf)]


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of a run.

    Attributes:
      name: how checkpoints, `--stage` and the report name it.
      method: networks, losses and optimizers.
      steps: how many; None, of the last alone, is what is left of the run's.
      data: its own data set; None is the experiment's.
      batch_size: its own number of examples in a batch; None is the experiment's.
      carry: what it begins with.
      early_stopping: ends it before its last step, with the best state of its own; None never does.
    """

    name: str
    method: Method
    steps: int | None = None
    data: Dataset | None = None
    batch_size: int | None = None
    carry: Carry = carry_over
    early_stopping: EarlyStopping | None = None


class Planned(NamedTuple):
    """A stage with nothing left open; see `Stage`."""

    name: str
    method: Method
    steps: int
    data: Dataset
    batch_size: int
    carry: Carry
    early_stopping: EarlyStopping | None


def check_stages(stages: tuple[Stage, ...], steps: int, steps_per_call: int) -> tuple[int, ...]:
    """How many steps each stage takes of a run of `steps`.

    Raises:
      UserError: two share a name, or lengths do not fit.
    """
    names = [stage.name for stage in stages]
    if both := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"stages: two are named {both[0]!r}; rename one.")
    for stage in stages[:-1]:
        if stage.steps is None or stage.steps < 1 or stage.steps % steps_per_call:
            raise UserError(
                f"steps is {stage.steps} in stage {stage.name!r}; make it a positive multiple of steps_per_call "
                f"{steps_per_call}: only the last may take what is left."
            )
    before = sum(stage.steps or 0 for stage in stages[:-1])
    last = steps - before
    if last < 1 or stages[-1].steps not in (None, last):
        raise UserError(
            f"steps is {steps}, of which the stages before {names[-1]!r} take {before} and it "
            f"{stages[-1].steps or 'the rest'}; make it their sum."
        )
    return (*(stage.steps or 0 for stage in stages[:-1]), last)


def _take(old: Any, fresh: Any) -> Any:
    """The leaves of `fresh`, each replaced by that of its name in `old` where the two agree."""
    before = named(old)

    def taken(path: Any, leaf: Any) -> Any:
        there = before.get(jax.tree_util.keystr(path, simple=True, separator="/"))
        return there if _agree(there, leaf) else leaf

    return jax.tree_util.tree_map_with_path(taken, fresh)


def _agree(a: Any, b: Any) -> bool:
    return a is not None and jnp.shape(a) == jnp.shape(b) and a.dtype == b.dtype
