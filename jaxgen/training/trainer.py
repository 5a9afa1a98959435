"""A method made ready to train on a mesh: its state laid out, its steps compiled ahead of time."""

import contextlib
import dataclasses
import functools
import re
import types
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from jaxgen.core import Array, Batch, Method, Place, TrainState, view_of
from jaxgen.data.source import Dataset
from jaxgen.errors import UserError, naming
from jaxgen.training.early_stopping import EarlyStopping
from jaxgen.training.evaluate import Masked
from jaxgen.training.pace import check_pace, due_in_call
from jaxgen.training.rollback import Batches
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import (
    EXAMPLES,
    Patterns,
    batch_sharding,
    matching,
    placement,
    replicated,
    state_shardings,
)
from jaxgen.training.stages import Carry, carry_over, not_carried
from jaxgen.training.starts import started
from jaxgen.training.step import build_step, compile_step, init_state


class Trainer:
    """One stage of a run, of which most have one.

    Args:
      method: the algorithm.
      schedule: how long the run is, and when to log, draw and save.
      batches: `start_step -> iterator` over what the compiled step consumes from that step of the stage on, leaves
        `[steps_per_call, batches_per_step, batch, ...]`; a function of the step alone.
      batch: shapes and types of one batch, leaves `[batch, ...]`.
      seed: of initialization and noise, up to 64 bits.
      mesh: the devices; they may be another machine's, for which the step is only compiled.
      sharding: exceptions to the rule by which the state is split over the mesh.
      early_stopping: ends the stage before its last step; None never does.
      validation: opens the batches for it, as `evaluator` takes them.
      stage: its name.
      index: how many stages come before it.
      length: its steps; None is the run's.
      carry: what it begins with, of the state that the stage before ended with and its own first.
      data: the data set, for evaluations of whole sets.

    Raises:
      UserError: `early_stopping`, the phases' pace or the figures do not fit the method or the schedule.
    """

    def __init__(
        self,
        method: Method,
        schedule: Schedule,
        batches: Batches,
        batch: Batch,
        seed: int,
        mesh: Mesh,
        sharding: Patterns = types.MappingProxyType({}),
        early_stopping: EarlyStopping | None = None,
        validation: Callable[[], Iterable[Masked]] = tuple,
        *,
        stage: str = "train",
        index: int = 0,
        length: int | None = None,
        carry: Carry = carry_over,
        data: Dataset | None = None,
    ):
        self.method = method
        self.schedule = schedule
        self.batches = batches
        self.batch = batch
        self.seed = seed
        self.mesh = mesh
        self.sharding = sharding
        self.early_stopping = early_stopping
        self.validation = validation
        self.stage = stage
        self.index = index
        self.length = schedule.steps if length is None else length
        self.carry = carry
        self.data = data
        self.started: dict[str, str] = {}  # the SHA-256 of what each network was given of another run's
        self._programs: dict[Any, jax.stages.Compiled] = {}
        check_pace(method, schedule.steps_per_call)
        self._step = build_step(method, lambda *arrays: self._place(*arrays), self._reports)  # placed when traced
        self._check_figures()

    @property
    def images_per_step(self) -> int:
        """Examples a step consumes."""
        return jax.tree.leaves(self.batch)[0].shape[0] * self.method.batches_per_step

    @property
    def run_key(self) -> Array:
        """The key of all training noise."""
        return self._keys[1]

    @property
    def picture_key(self) -> Array:
        """The key of the noise that pictures are drawn from."""
        return self._keys[2]

    @property
    def shardings(self) -> TrainState:
        """Where each leaf of the state is.

        Raises:
          UserError: `sharding` does not fit it.
        """
        return self._shardings

    @property
    def shapes(self) -> TrainState:
        """Shapes and types of the state."""
        return self._shapes

    def init(self, *, starts: bool = True) -> TrainState:
        """The state before the first step, each part created where it belongs: no device ever holds all of it.

        Args:
          starts: whether networks get the parameters that other runs have for them (`Net.start`), which are read.
        """
        with contextlib.closing(self.batches(0)) as data:
            state = self.trace_init().lower().compile()(self._keys[0], next(data))
        if starts:
            state, self.started = started(self.method, state)
        return state

    def first_batch(self) -> Batch:
        """The stage's first batch, leaves `[batch, ...]`."""
        with contextlib.closing(self.batches(0)) as data:
            return jax.tree.map(lambda x: x[0, 0], next(data))

    def begin(self, before: TrainState, say: Callable[[str], None]) -> TrainState:
        """The state the stage begins with after another one.

        Args:
          before: the state that one ended with.
          say: takes a sentence about what was not found in it.
        """
        fresh = self.init()
        if self.carry is carry_over and (missing := not_carried(before, fresh)):
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            say(f"Stage {self.stage!r} begins {missing[0]}{more} anew: the stage before has no such array.")

        def carried(before: TrainState, fresh: TrainState) -> TrainState:
            return dataclasses.replace(self.carry(before, fresh), step=before.step, start=before.step)

        return jax.jit(carried, out_shardings=self._shardings)(before, fresh)

    def trace_init(self) -> jax.stages.Traced:
        """`(key, batches) -> state` before the compiler; no data is read."""

        def first(key: Array, batches: Batch) -> TrainState:
            return init_state(self.method, key, jax.tree.map(lambda x: x[0, 0], batches))

        whole, split = replicated(self.mesh), batch_sharding(self.mesh, leading_axes=2)
        compiled = jax.jit(first, in_shardings=(whole, split), out_shardings=self._shardings)
        return compiled.trace(_abstract_key(), self._batches)

    def abstract_state(self) -> TrainState:
        """Shapes, types and shardings of the state; nothing is computed and no data is read.

        Raises:
          UserError: `sharding` does not fit it.
        """
        return jax.tree.map(
            lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), self._shapes, self._shardings
        )

    def program(self, step: int) -> jax.stages.Compiled:
        """`(state, batches, run_key) -> (state, metrics)` for the call that begins at a stage's step `step`.

        Compiled ahead of time, once for all calls in which the same phases are due: it cannot retrace.
        """
        due = due_in_call(self.method, step, self.schedule.steps_per_call)
        if due not in self._programs:
            self._programs[due] = self.trace(step).lower().compile()
        return self._programs[due]

    def trace(self, step: int = 0) -> jax.stages.Traced:
        """That call before the compiler; no data is read."""
        due = due_in_call(self.method, step, self.schedule.steps_per_call)
        call = compile_step(self._step, self.mesh, self._shardings, due)
        return call.trace(self.abstract_state(), self._batches, _abstract_key())

    def written_out(self) -> bool:
        """Whether steps that are compiled together are no loop, as those with convolutions are none on a CPU."""
        together = self.schedule.steps_per_call > 1 and self.mesh.devices.flat[0].platform == "cpu"
        return together and "conv_general_dilated" in str(self.trace().jaxpr)

    def due_steps(self, step: int) -> dict[str, list[int]]:
        """Of the call that begins at a stage's step `step`: phase -> its steps, from 0, in which it is due."""
        due = due_in_call(self.method, step, self.schedule.steps_per_call)
        return {
            phase.name: [index for index, names in enumerate(due) if phase.name in names]
            for phase in self.method.phases
        }

    def _reports(self, state: TrainState) -> Any:
        """Whether the gradients' norms of the step about to run will be looked at: in a row, or before a checkpoint."""
        step, taken = state.step + 1, state.step + 1 - state.start
        return self.schedule.reports(step) | (taken == self.length)

    def _check_figures(self) -> None:
        """Refuses held-out figures that are not of each example, before anything is computed.

        Raises:
          UserError: one is not, or what early stopping watches is not among them.
        """
        with naming(f"evaluate of {self.method.name}", self.batch, "batch's fields"):
            figures = jax.eval_shape(
                lambda state, batch, key: self.method.evaluate(view_of(self.method, state).averaged(), batch, key),
                self._shapes,
                self.batch,
                _abstract_key(),
            )
        sizes = {leaf.shape[0] for leaf in jax.tree.leaves(self.batch)}
        for name, figure in figures.items():
            if not figure.ndim or figure.shape[0] not in sizes:
                raise UserError(
                    f"evaluate: {self.method.name} returns {name} of shape {list(figure.shape)} for a batch of "
                    f"{' or '.join(map(str, sorted(sizes)))}; return a number an example, or several."
                )
        if self.early_stopping:
            names = [*figures, *(evaluation.name for evaluation in self.method.evaluations)]
            self.early_stopping.check(self.method.name, self.schedule.log_every, names)

    @property
    def _batches(self) -> Batch:
        leading = (self.schedule.steps_per_call, self.method.batches_per_step)
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct((*leading, *x.shape), x.dtype), self.batch)

    @functools.cached_property
    def _shapes(self) -> TrainState:
        return jax.eval_shape(lambda key, batch: init_state(self.method, key, batch), _abstract_key(), self.batch)

    @functools.cached_property
    def _shardings(self) -> TrainState:
        return state_shardings(self._shapes, self.mesh, {**self.sharding, **_of_memory(self.method, self._shapes)})

    @functools.cached_property
    def _place(self) -> Place:
        return placement(self.mesh, self._shardings)

    @functools.cached_property
    def _keys(self) -> tuple[Array, Array, Array]:
        """Of initialization, training and pictures; computed, since no process may copy its own to all devices."""

        def keys() -> tuple[Array, ...]:
            first, *others = jax.random.split(_key_of(self.seed), 3)
            return (jax.random.fold_in(first, self.index) if self.index else first, *others)

        return jax.jit(keys, out_shardings=replicated(self.mesh))()


def _of_memory(method: Method, state: TrainState) -> Patterns:
    """Memory is on every device, but for what the method spreads over them."""
    split = {f"^memory/{re.escape(name)}(/|$)": PartitionSpec(EXAMPLES) for name in method.split}
    return matching({**split, "^memory/": PartitionSpec()}, state)


def _key_of(seed: int) -> Array:
    """`jax.random.key(seed)`, which without 64-bit numbers would use the lower half of a seed only."""
    if seed < 2**32:
        return jax.random.key(seed)
    return jax.random.wrap_key_data(jnp.array(divmod(seed, 2**32), jnp.uint32))


def _abstract_key() -> Any:
    return jax.eval_shape(lambda: jax.random.key(0))
