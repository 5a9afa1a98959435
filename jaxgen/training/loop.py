"""The training loop: data in, steps out, one stage after the other, and nothing lost on the way."""

import contextlib
import dataclasses
import functools
import json
from collections.abc import Callable, Sequence

import jax
from rich.console import Console

from jaxgen.core import TrainState
from jaxgen.errors import NonFiniteError, UserError
from jaxgen.files import read_regular
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.distributed import crashing_at_once
from jaxgen.training.early_stopping import Validation
from jaxgen.training.evaluations import Evaluations
from jaxgen.training.finite import check_state
from jaxgen.training.logging import MetricLog
from jaxgen.training.pictures import Draw, Pictures
from jaxgen.training.preemption import StopRequests, stop_requests
from jaxgen.training.progress import progress_bar, summary
from jaxgen.training.rollback import Rollbacks
from jaxgen.training.run_folder import RunFolder, write_json
from jaxgen.training.trainer import Trainer
from jaxgen.training.watch import watcher


def train(
    stages: Sequence[Trainer],
    folder: RunFolder,
    draw: Draw,
    console: Console,
    rollbacks: int = 0,
    started: Callable[[], None] = lambda: None,
) -> TrainState:
    """Trains from the newest checkpoint in the folder, or from the start, to the last stage's last step or early stop.

    With early stopping, what is returned is the best state. A full disk is said and does not stop the run: only its
    last checkpoint must be written.

    Args:
      stages: what happens, in order.
      folder: where metrics, pictures and checkpoints go.
      draw: `(path, samples [SAMPLES, ...])` writes a picture.
      console: where progress is shown.
      rollbacks: how often a run may go back to a checkpoint when a metric or its state is not finite, and on past the
        batches used since; again at the same checkpoint, it goes back to the one before.
      started: called once, when the run has been found fit to go on and there is a state to train.

    Raises:
      NonFiniteError: a metric or the state became NaN or infinite, once more than `rollbacks`.
      UserError: no checkpoint is whole, or the last one cannot be written.
      KeyboardInterrupt: Ctrl-C was pressed, or (`Preempted`) SIGTERM came; the state has been saved.
    """
    say = functools.partial(console.print, markup=False, highlight=False, soft_wrap=True)
    with (
        contextlib.closing(Checkpoints(folder.checkpoints, say=say)) as checkpoints,
        stop_requests() as stop,
        crashing_at_once(),
    ):
        run = _Run(tuple(stages), folder, console, say, draw, checkpoints, Rollbacks(folder.rollbacks_file), stop)
        at, state = run.resume()
        started()
        while True:
            try:
                for trainer in run.stages[at:]:
                    if trainer is not run.stages[at]:
                        state = trainer.begin(state, say)
                        run.remember(trainer)
                        run.mark(trainer, int(state.step))
                    state = _train(trainer, state, run)
                return state
            except NonFiniteError as error:
                if len(run.rollbacks) >= rollbacks:
                    raise NonFiniteError(error.finding, error.step, rollbacks) from error
                at, state = run.resume(in_vain=run.rollbacks.last)
                skipped = run.rollbacks.add(int(state.step), error).skipped
                say(f"{error.finding}; skipping {skipped} batches (rollback {len(run.rollbacks)} of {rollbacks}).")


@dataclasses.dataclass(frozen=True)
class _Run:
    """What goes on while stages train."""

    stages: tuple[Trainer, ...]
    folder: RunFolder
    console: Console
    say: Callable[[str], None]
    draw: Draw
    checkpoints: Checkpoints
    rollbacks: Rollbacks
    stop: StopRequests

    def like(self, stage: str) -> TrainState:
        """Shapes, types and shardings of a stage's state."""
        return self.stages[self._index(stage)].abstract_state()

    def resume(self, in_vain: int | None = None) -> tuple[int, TrainState]:
        """The number of a stage and a state of it: of the newest checkpoint, or the first of all.

        Where the newest is of step `in_vain`, it is that of the checkpoint before.
        """
        newest = self.checkpoints.newest
        restored = self.checkpoints.restore(self.like, before=newest if newest == in_vain else None)
        if restored is None:
            if self.folder.metrics_file.exists():
                self.say("There is no checkpoint yet; starting from the beginning.")
            state = self.stages[0].init()
            self.remember(self.stages[0])
            return 0, state
        state, schedule = restored.state, self.stages[0].schedule
        step, taken = int(state.step), int(state.step) - int(state.start)
        if step > schedule.steps:
            raise UserError(
                f"steps is {schedule.steps} but the run is at step {step} already; ask for more, or use --fresh."
            )
        if taken % schedule.steps_per_call:
            raise UserError(
                f"steps_per_call {schedule.steps_per_call} does not divide step {step}, where the run is; use a "
                "divisor."
            )
        stage = f", in stage {restored.stage}" if len(self.stages) > 1 else ""
        self.say(f"Resuming at step {step} of {schedule.steps}{stage}.")
        return self._index(restored.stage), state

    def remember(self, trainer: Trainer) -> None:
        """Writes down which parameters a stage was given of other runs, which may be deleted now."""
        if trainer.started and jax.process_index() == 0:
            write_json(self.folder.starts_file, {trainer.stage: trainer.started})

    def mark(self, trainer: Trainer, step: int) -> None:
        """Writes down when a stage began, for the report."""
        if jax.process_index() == 0:
            begun = {}
            with contextlib.suppress(OSError, ValueError):  # there are none yet, or they cannot be read
                begun = json.loads(read_regular(self.folder.stages_file))
            write_json(self.folder.stages_file, {**begun, trainer.stage: step})

    def _index(self, stage: str) -> int:
        names = [trainer.stage for trainer in self.stages]
        if stage not in names:
            raise UserError(
                f"the run is in a stage named {stage!r}, which the experiment has not; it has {', '.join(names)}: put "
                "it back, or start over with --fresh."
            )
        return names.index(stage)


def _train(trainer: Trainer, state: TrainState, run: _Run) -> TrainState:
    """Trains one stage from a state of it to its end, and returns its last state, or with early stopping its best."""
    schedule, step, start, score = trainer.schedule, int(state.step), int(state.start), None
    end = start + trainer.length
    evaluations = Evaluations(trainer, run.folder)
    validation = Validation(trainer.early_stopping, evaluations.on_validation, trainer.stage, run.checkpoints, run.say)
    method, mesh, shardings = trainer.method, trainer.mesh, trainer.shardings
    pictures = Pictures(
        method, mesh, shardings, trainer.picture_key, run.folder, run.draw, run.say, trainer.first_batch
    )

    def due(every: int) -> bool:
        return step % every == 0 or step == end

    def ended() -> bool:
        return step >= end or validation.is_over(step)

    if not ended():
        watched = watcher(method, mesh, shardings)
        with contextlib.ExitStack() as stack:
            progress = stack.enter_context(progress_bar(run.console))
            if not run.console.is_terminal:  # which shows no bar
                run.say(f"Compiling, which may take minutes; then {run.folder.metrics_file} has a line now and then.")
            task = progress.add_task("compiling", total=schedule.steps, completed=step, shown="")
            trainer.program(step - start)
            progress.update(task, description="training" if len(run.stages) == 1 else trainer.stage)
            begun = run.checkpoints.row_of(step)
            log = MetricLog(run.folder, step, trainer.images_per_step, run.say, trainer.method.watch, begun)
            stack.enter_context(contextlib.closing(log))
            batches = run.rollbacks.batches(trainer.batches, step, start, schedule.steps_per_call)
            data = stack.enter_context(contextlib.closing(batches))
            while not (ended() or run.stop()):
                batch = next(data)
                first, (state, metrics) = step, trainer.program(step - start)(state, batch, trainer.run_key)
                step += schedule.steps_per_call
                logs = schedule.logs(step) or step == end
                if logs:
                    metrics |= watched(state, batch, trainer.picture_key)
                metrics |= evaluations.due(state, step)
                figure, score = validation.evaluate(state, due)
                log.add(step, metrics | figure, _numbered(trainer.due_steps(first - start), first))
                if logs:
                    progress.update(task, completed=step, shown=summary(log.row()))
                if due(schedule.sample_every):
                    log.picture(step, pictures(state))
                if due(schedule.checkpoint_every) or validation.is_best(score):
                    row = log.check()
                    check_state(state, step)
                    run.checkpoints.save(state, trainer.stage, score, row)
            row = log.check()
            check_state(state, step)
            run.checkpoints.save_and_wait(state, trainer.stage, score, row)
            progress.update(task, shown=summary(log.written))  # of the last step, however short the run
            if run.stop.error:
                run.say("Stopped and saved; the same command continues.")
                raise run.stop.error
    best = validation.best(state, run.like)
    if best is not state:
        pictures(best)
    if run.stop.error:  # which came when there was nothing left to train, and to save
        raise run.stop.error
    if trainer is run.stages[-1]:
        return best
    return dataclasses.replace(best, step=state.step)  # from where the next stage goes on


def _numbered(due: dict[str, list[int]], first: int) -> dict[str, list[int]]:
    """Steps of a call, from 0, as steps of the run, from 1."""
    return {phase: [first + 1 + index for index in steps] for phase, steps in due.items()}
