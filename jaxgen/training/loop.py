"""The training loop: data in, steps out, and nothing lost on the way."""

import contextlib
import dataclasses
import functools
import types
from collections.abc import Callable, Iterable
from typing import Any

import jax
from jax.sharding import Mesh
from rich.console import Console

from jaxgen.core import Array, Batch, Method, Place, TrainState
from jaxgen.errors import NonFiniteError, UserError
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.distributed import crashing_at_once
from jaxgen.training.early_stopping import EarlyStopping, Validation
from jaxgen.training.evaluate import Masked, evaluator, standing
from jaxgen.training.logging import MetricLog
from jaxgen.training.pictures import Draw, Pictures
from jaxgen.training.preemption import StopRequests, stop_requests
from jaxgen.training.progress import progress_bar, summary
from jaxgen.training.rollback import Batches, Rollbacks
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import Patterns, batch_sharding, placement, replicated, state_shardings
from jaxgen.training.step import build_step, compile_step, init_state
from jaxgen.training.watch import watcher


class Trainer:
    """A method made ready to train on a mesh.

    Args:
      method: the algorithm.
      schedule: how long, and when to log, draw and save.
      batches: `start_step -> iterator` over what the compiled step consumes from that step on, leaves
        `[steps_per_call, batches_per_step, batch, ...]`; a function of the step alone.
      batch: shapes and types of one batch, leaves `[batch, ...]`.
      seed: of initialization and noise.
      mesh: the devices; they may be another machine's, for which the step is only compiled.
      sharding: exceptions to the rule by which the state is split over the mesh.
      early_stopping: ends training before the last step; None never does.
      validation: opens the batches for it, as `evaluator` takes them.

    Raises:
      UserError: `early_stopping` does not fit the method or the schedule.
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
        self._step = build_step(method, lambda *arrays: self._place(*arrays), schedule.reports)  # placed when traced
        if early_stopping:
            early_stopping.check(method, schedule.log_every, self._shapes, batch)

    @property
    def images_per_step(self) -> int:
        """Examples a step consumes."""
        return jax.tree.leaves(self.batch)[0].shape[0] * self.method.batches_per_step

    @property
    def run_key(self) -> Array:
        """The key of all training noise."""
        return self._keys[1]

    def init(self) -> TrainState:
        """The state before the first step, each part created where it belongs: no device ever holds all of it."""
        with contextlib.closing(self.batches(0)) as data:
            return self.trace_init().lower().compile()(self._keys[0], next(data))

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

    def compile(self) -> jax.stages.Compiled:
        """`(state, batch, run_key) -> (state, metrics)`, ahead of time: a compiled call cannot retrace."""
        return self.trace().lower().compile()

    def trace(self) -> jax.stages.Traced:
        """The training step before the compiler; no data is read."""
        call = compile_step(self._step, self.mesh, self._shardings)
        return call.trace(self.abstract_state(), self._batches, _abstract_key())

    def run(
        self,
        folder: RunFolder,
        draw: Draw,
        console: Console,
        rollbacks: int = 0,
        started: Callable[[], None] = lambda: None,
    ) -> TrainState:
        """Trains from the newest checkpoint in the folder, or from the start, to the last step or an early stop.

        With early stopping, what is returned is the best state. A full disk is said and does not stop the run: only its
        last checkpoint must be written.

        Args:
          folder: where metrics, pictures and checkpoints go.
          draw: `(path, samples [SAMPLES, ...])` writes a picture.
          console: where progress is shown.
          rollbacks: how often a run may go back to its last checkpoint when a metric is not finite, and on past the
            batches used since.
          started: called once, when the run has been found fit to go on and there is a state to train.

        Raises:
          NonFiniteError: a metric became NaN or infinite, once more than `rollbacks`.
          UserError: no checkpoint is whole, or the last one cannot be written.
          KeyboardInterrupt: Ctrl-C was pressed, or (`Preempted`) SIGTERM came; the state has been saved.
        """
        say = functools.partial(console.print, markup=False, highlight=False, soft_wrap=True)
        done = Rollbacks(folder.rollbacks_file)
        with (
            contextlib.closing(Checkpoints(folder.checkpoints, say=say)) as checkpoints,
            stop_requests() as stop,
            crashing_at_once(),
        ):
            pictures = Pictures(self.method, self.mesh, self._shardings, self._keys[2], folder, draw, say)
            settled = standing(self.method, self.mesh, self._shardings)
            evaluate = evaluator(self.method, self.mesh, self._shardings)
            validation = Validation(
                self.early_stopping, lambda s, data: evaluate(settled(s), data), self.validation, checkpoints, say
            )
            run = _Run(folder, console, say, pictures, validation, checkpoints, done, stop)
            state = self._restore_or_init(run)
            started()
            while True:
                try:
                    last = self._train(state, run)
                    best = validation.best(last, self.abstract_state())
                    if best is not last:
                        pictures(best)
                    if stop.error:  # which came when there was nothing left to train, and to save
                        raise stop.error
                    return best
                except NonFiniteError as error:
                    if len(done) >= rollbacks:
                        raise NonFiniteError(error.finding, error.step, rollbacks) from error
                    state = self._restore_or_init(run)
                    skipped = done.add(int(state.step), error).skipped
                    say(f"{error.finding}; skipping {skipped} batches (rollback {len(done)} of {rollbacks}).")

    def _train(self, state: TrainState, run: "_Run") -> TrainState:
        schedule, step, score = self.schedule, int(state.step), None
        watched = watcher(self.method, self.mesh, self._shardings)

        def due(every: int) -> bool:
            return step % every == 0 or step == schedule.steps

        def ended() -> bool:
            return step == schedule.steps or run.validation.is_over(step)

        if ended():
            return state
        with contextlib.ExitStack() as stack:
            progress = stack.enter_context(progress_bar(run.console))
            task = progress.add_task("compiling", total=schedule.steps, completed=step, shown="")
            call = self._call
            progress.update(task, description="training")
            log = MetricLog(run.folder, step, self.images_per_step, run.say, self.method.watch)
            stack.enter_context(contextlib.closing(log))
            batches = run.rollbacks.batches(self.batches, step, schedule.steps_per_call)
            data = stack.enter_context(contextlib.closing(batches))
            while not (ended() or run.stop()):
                batch = next(data)
                state, metrics = call(state, batch, self.run_key)
                step += schedule.steps_per_call
                if schedule.logs(step):
                    metrics |= watched(state, batch, self._keys[2])
                figure, score = run.validation.evaluate(state, due)
                log.add(step, metrics | figure)
                if schedule.logs(step):
                    progress.update(task, completed=step, shown=summary(log.row()))
                if due(schedule.sample_every):
                    run.pictures(state)
                if due(schedule.checkpoint_every) or run.checkpoints.is_best(score):
                    log.check()
                    run.checkpoints.save(state, score)
            log.check()
            run.checkpoints.save_and_wait(state, score)
            if run.stop.error:
                run.say("Stopped and saved; the same command continues.")
                raise run.stop.error
        return state

    @property
    def _batches(self) -> Batch:
        leading = (self.schedule.steps_per_call, self.method.batches_per_step)
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct((*leading, *x.shape), x.dtype), self.batch)

    @functools.cached_property
    def _shapes(self) -> TrainState:
        return jax.eval_shape(lambda key, batch: init_state(self.method, key, batch), _abstract_key(), self.batch)

    @functools.cached_property
    def _shardings(self) -> TrainState:
        return state_shardings(self._shapes, self.mesh, self.sharding)

    @functools.cached_property
    def _place(self) -> Place:
        return placement(self.mesh, self._shardings)

    @functools.cached_property
    def _keys(self) -> tuple[Array, Array, Array]:
        """Of initialization, training and pictures; computed, since no process may copy its own to all devices."""

        def keys() -> tuple[Array, ...]:
            return tuple(jax.random.split(jax.random.key(self.seed), 3))

        return jax.jit(keys, out_shardings=replicated(self.mesh))()

    @functools.cached_property
    def _call(self) -> jax.stages.Compiled:
        return self.compile()

    def _restore_or_init(self, run: "_Run") -> TrainState:
        state = run.checkpoints.restore(self.abstract_state())
        if state is None:
            if run.folder.metrics_file.exists():
                run.say("There is no checkpoint yet; starting from the beginning.")
            return self.init()
        step, steps, per_call = int(state.step), self.schedule.steps, self.schedule.steps_per_call
        if step > steps:
            raise UserError(f"steps is {steps} but the run is at step {step} already; ask for more, or use --fresh.")
        if step % per_call:
            raise UserError(f"steps_per_call {per_call} does not divide step {step}, where the run is; use a divisor.")
        run.say(f"Resuming at step {step} of {steps}.")
        return state


@dataclasses.dataclass(frozen=True)
class _Run:
    """What goes on while a trainer runs."""

    folder: RunFolder
    console: Console
    say: Callable[[str], None]
    pictures: Pictures
    validation: Validation
    checkpoints: Checkpoints
    rollbacks: Rollbacks
    stop: StopRequests


def _abstract_key() -> Any:
    return jax.eval_shape(lambda: jax.random.key(0))
