"""Checkpoints of a `TrainState`: written whole or not at all, verified before they are read.

Orbax writes asynchronously and commits by an atomic rename, so a process killed at any moment leaves the previous
checkpoints whole. What is damaged later, `integrity` finds, and the checkpoint before it serves.
"""

import contextlib
import glob
import math
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from jax.sharding import NamedSharding, PartitionSpec

from jaxgen.core import TrainState
from jaxgen.errors import UserError
from jaxgen.training.distributed import on_first_process
from jaxgen.training.integrity import agreed, checksums, named

_TRASH = "trash"
_DAMAGED = "damaged"
_SCORE = "score"
_STAGE = "stage"
_ROW = "row"
_DISK_ERRORS = ("RESOURCE_EXHAUSTED", "No space left", "quota exceeded", "Read-only", "Permission denied")


Row = Mapping[str, float]  # metrics by name
Like = Callable[[str], TrainState]  # a stage's name -> shapes, types and shardings of its state


class Restored(NamedTuple):
    """A checkpoint that was whole: the name of its stage, and the state."""

    stage: str
    state: Any


class Checkpoints:
    """The checkpoints of one run, the newest `keep` and the best. On several processes, all make the same calls.

    Args:
      directory: where they are; the same files for all processes.
      keep: how many stay, beside that of the best score.
      read_only: changes nothing, not even what a killed run left half written: the run may be alive.
      say: takes a sentence about each thing that went wrong and was survived.

    Raises:
      UserError: they cannot be written under that name.
    """

    def __init__(self, directory: Path, keep: int = 3, *, read_only: bool = False, say: Callable[[str], None] = print):
        if not read_only:
            check_name(directory)
        self.directory = directory.absolute()
        self._keep = keep
        self._read_only = read_only
        self._say = say if jax.process_index() == 0 else lambda sentence: None
        self._manager = self._open()
        self._writing: int | None = None

    @property
    def newest(self) -> int | None:
        """The step of the newest checkpoint."""
        return max(self._manager.all_steps(), default=None)

    def best_step(self, stage: str) -> int | None:
        """The step of a stage saved with the best score, the first of equals; None where none was with a score."""
        scored = (step for step in self._manager.all_steps() if step in self._scores and self._stages[step] == stage)
        return max(scored, key=self._rank, default=None)

    def stage_of(self, step: int) -> str:
        """The stage whose state was saved at a step; "" where that can no longer be read."""
        return self._stages.get(step, "")

    def row_of(self, step: int) -> Row:
        """What a checkpoint was saved with of the row of metrics that was not yet due; nothing where it had nothing."""
        row = _read_json(self.directory / str(step), _ROW)
        return {name: value for name, value in row.items() if isinstance(value, float)}

    def is_best(self, stage: str, score: float | None) -> bool:
        """Whether no checkpoint of a stage was saved with a score as good."""
        if score is None:
            return False
        best = self.best_step(stage)
        return best is None or score > self._scores[best]

    def restore(self, like: Like, before: int | None = None) -> "Restored | None":
        """The newest whole checkpoint, of those before a step if one is named; None where there is none.

        Damaged ones that are newer are moved to `damaged/`, nothing of them deleted, so that training can write those
        steps again; a reader passes over them.

        Args:
          like: a stage's name to shapes, types and shardings to restore to (`jax.ShapeDtypeStruct` leaves).
          before: a checkpoint of that step or later is passed over, and set aside so that it can be written again.

        Raises:
          UserError: there are checkpoints and none is whole, or it was written by other networks.
        """
        self.wait()  # the manager counts a step as there when its write has only begun
        steps = self._manager.all_steps()
        earlier = [step for step in steps if before is None or step < before]
        if before is not None and earlier:
            on_first_process(lambda: [self._set_aside(step) for step in steps if step >= before])
            self._manager.reload()
        return self._restore(like, earlier or steps, lambda step: step)

    def restore_best(self, like: Like) -> "Restored | None":
        """As `restore`, but of the newest's stage the best score; the newest where none was saved with a score."""
        self.wait()
        steps = self._manager.all_steps()
        stage = self._stages.get(max(steps, default=0))
        return self._restore(like, [step for step in steps if self._stages.get(step) == stage], self._rank)

    def _restore(self, like: Like, steps: Sequence[int], rank: Callable[[int], Any]) -> "Restored | None":
        damaged: dict[int, str] = {}
        for step in sorted(steps, key=rank, reverse=True):
            restored, reason = self._read(step, like)
            if reason is None:
                self._pass_over(damaged, step)
                return restored
            damaged[step] = reason
        if damaged:
            first, reason = next(iter(damaged.items()))
            raise UserError(
                f"no checkpoint in {self.directory} is whole (step {first}: {reason}); put a copy back, or start over "
                "with --fresh."
            )
        return None

    def save(self, state: TrainState, stage: str, score: float | None = None, row: Row = MappingProxyType({})) -> None:
        """Starts writing the state under its step; a step already there is left as it is.

        The state may be donated as soon as this returns. When the disk takes no more, that is said, what the write left
        is removed, and the next save tries again; the checkpoints already there stay.

        Args:
          state: what to write.
          stage: the run's, whose state it is.
          score: how good it is, finite, larger being better; None where that is not known.
          row: what the next row of metrics holds so far, for whoever goes on from here.
        """
        self.wait()
        if reason := self._start(state, stage, score, row):
            self._say(self._failure(int(state.step), reason) + "; training goes on, and tries again at the next.")

    def save_and_wait(
        self, state: TrainState, stage: str, score: float | None = None, row: Row = MappingProxyType({})
    ) -> None:
        """As `save`, and returns when the state is on disk.

        Raises:
          UserError: the disk takes no more.
        """
        self.wait()
        if reason := self._start(state, stage, score, row) or self._finish():
            raise UserError(
                f"{self._failure(int(state.step), reason)}; free some space and run the same command again, the "
                "checkpoints already there are whole."
            )

    def wait(self) -> None:
        """Returns when the last `save` is on disk, or has failed and said so; what it replaced is deleted."""
        if reason := self._finish():
            self._say(self._failure(self._writing, reason) + "; training goes on, and tries again at the next.")
        if not self._read_only and jax.process_index() == 0:
            self._tidy()

    def close(self) -> None:
        """Waits and releases the writer's threads."""
        self.wait()
        self._manager.close()

    def _open(self) -> ocp.CheckpointManager:
        if self._read_only:
            options = ocp.CheckpointManagerOptions(create=False, save_root_metadata=False)
        else:
            on_first_process(self._tidy)
            kept = _NewestAndBest(self._keep, self)
            options = ocp.CheckpointManagerOptions(preservation_policy=kept, todelete_subdir=_TRASH)
        manager = _Manager(self.directory, options=options)
        found = {step: _read_score(self.directory / str(step)) for step in manager.all_steps()}
        self._scores = {step: score for step, score in found.items() if score is not None}
        self._stages = {step: _read_stage(self.directory / str(step)) for step in manager.all_steps()}
        return manager

    def _rank(self, step: int) -> tuple[float, int]:
        """From worst to best: those without a score, oldest first, then by score, the first of equals last."""
        return (self._scores[step], -step) if step in self._scores else (-math.inf, step)

    def _tidy(self) -> None:
        """Deletes what no write in progress needs: writes that a kill or a full disk cut short, and replaced steps.

        Replaced steps are renamed into the trash first: a kill in mid-deletion must not leave half a step.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        for folder in (self.directory / _TRASH, *self.directory.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*")):
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self, state: TrainState, stage: str, score: float | None, row: Row) -> str | None:
        """Begins a write; returns why it cannot."""
        step = int(state.step)
        if step in self._manager.all_steps():
            return None
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        if reason := agreed(self._lack_of_room(size)):
            return reason
        items = {
            "state": ocp.args.StandardSave(_written(state)),
            "checksums": ocp.args.JsonSave(checksums(state)),
            _STAGE: ocp.args.JsonSave({"name": stage, "first_step": int(state.start)}),
        }
        if row:
            items[_ROW] = ocp.args.JsonSave(dict(row))
        self._stages[step] = stage
        if score is not None:
            self._scores[step] = score
            items[_SCORE] = ocp.args.JsonSave({_SCORE: score})
        self._writing = step
        try:
            self._manager.save(step, args=ocp.args.Composite(**items))
        except Exception as error:
            return self._clean_up(error)
        return None

    def _finish(self) -> str | None:
        """Waits for the last write; returns why it failed."""
        try:
            self._manager.wait_until_finished()
        except Exception as error:
            return self._clean_up(error)
        return None

    def _clean_up(self, error: Exception) -> str:
        """Removes what a failed write left by opening the folder anew: the manager takes it for still in progress."""
        if not any(sign in str(error) for sign in _DISK_ERRORS):
            raise error
        with contextlib.suppress(Exception):  # the same error again
            self._manager.close()
        self._manager = self._open()
        return _first_line(error)

    def _lack_of_room(self, size: int) -> str | None:
        free = shutil.disk_usage(self.directory).free
        if free < 1.1 * size:
            return f"{free / 1e6:.1f} MB are free and a checkpoint takes {size / 1e6:.1f} MB"
        return None

    def _failure(self, step: int | None, reason: str) -> str:
        return f"no checkpoint of step {step} could be written to {self.directory}: {reason}"

    def _pass_over(self, damaged: dict[int, str], instead: int) -> None:
        for step, reason in damaged.items():
            fate = "passed over" if self._read_only else f"moved to {_DAMAGED}"
            self._say(
                f"checkpoint {self.directory / str(step)} is damaged ({reason}) and {fate}; using step {instead}."
            )
        if damaged and not self._read_only:
            on_first_process(lambda: [self._set_aside(step) for step in damaged])
            self._manager.reload()

    def _set_aside(self, step: int) -> None:
        aside = self.directory / _DAMAGED
        aside.mkdir(exist_ok=True)
        earlier = len(list(aside.glob(f"{step}.*")))
        (self.directory / str(step)).rename(aside / f"{step}.{earlier + 1}")

    def _read(self, step: int, like: Like) -> "tuple[Restored | None, str | None]":
        """The state of a step and its stage, or why it is not whole."""
        folder: Any = self.directory / str(step)
        state = expected = reason = stage = None
        if not (folder / _STAGE).exists() and (folder / "checksums").exists():
            raise UserError(
                f"checkpoint {folder} was written by an earlier version of jaxgen, which knew no stages; finish the "
                "run there, or start over with --fresh."
            )
        try:
            # Orbax's handlers, unlike its manager, wait for no other process: one of them may fail alone.
            expected = ocp.JsonCheckpointHandler().restore(folder / "checksums")
            saved: Any = ocp.StandardCheckpointHandler().metadata(folder / "state")
            found = _shapes(getattr(saved, "tree", saved))
            if found.keys() != expected.keys():
                raise ValueError("its metadata and its checksums name different arrays")
            stage = str(ocp.JsonCheckpointHandler().restore(folder / _STAGE)["name"])
            wanted = like(stage)
            _check_fits(found, _shapes(_written(wanted)), folder)
            state = ocp.StandardCheckpointHandler().restore(
                folder / "state", args=ocp.args.StandardRestore(_written(wanted))
            )
            state = _read_back(state, wanted)
        except UserError:
            raise
        except Exception as error:  # whatever the damaged file made its reader raise
            reason = _first_line(error)
        reason = agreed(reason)
        if reason is None and checksums(state) != expected:
            return None, "its checksums do not match"
        return (None if reason else Restored(str(stage), state)), reason


def check_name(directory: Path) -> None:
    """Refuses a name that orbax cannot write, or takes for a pattern when it puts a checkpoint's parts together.

    Raises:
      UserError: it is one.
    """
    name = directory.absolute().as_posix()
    if name.encode(errors="surrogateescape") != name.encode(errors="replace"):
        raise UserError(
            f"folder {name} has bytes in its name that are no text, and nothing can be saved there; rename it."
        )
    if glob.escape(name) != name or "\\" in name:
        raise UserError(f"folder {name} has one of [ * ? \\ in its name, under which nothing can be saved; rename it.")


class _Manager(ocp.CheckpointManager):
    """Leaves the question of a preemption to `preemption.StopRequests`.

    JAX finds the call before which all processes stop by counting the calls that ask, and orbax asks too, by its own
    count, the training step: in a resumed run the two would agree on a call thousands of steps ahead.
    """

    def reached_preemption(self, step: int) -> bool:
        return False


class _NewestAndBest:
    """Which checkpoints orbax is to keep.

    Its own `BestN` reads what `CheckpointManager` writes of metrics, and one damaged file of those keeps all
    checkpoints from being opened.
    """

    def __init__(self, newest: int, checkpoints: Checkpoints):
        self._newest, self._checkpoints = newest, checkpoints

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        newest = [checkpoint.step for checkpoint in checkpoints[-self._newest :]]
        stages = {self._checkpoints.stage_of(step) for step in newest}
        kept = {*newest, *(self._checkpoints.best_step(stage) for stage in stages)}
        return [checkpoint.step in kept for checkpoint in checkpoints]


def _read_score(folder: Any) -> float | None:
    """What a checkpoint was saved with; None where that is nothing, or can no longer be read."""
    score = _read_json(folder, _SCORE).get(_SCORE)
    return score if isinstance(score, float) and math.isfinite(score) else None


def _read_stage(folder: Any) -> str:
    return str(_read_json(folder, _STAGE).get("name", ""))


def _read_json(folder: Any, item: str) -> dict[str, Any]:
    try:
        found = ocp.JsonCheckpointHandler().restore(folder / item)
    except Exception:  # whatever the damaged file made its reader raise
        return {}
    return found if isinstance(found, dict) else {}


def _check_fits(found: dict[str, str], wanted: dict[str, str], folder: Path) -> None:
    if different := sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)):
        name = different[0]
        raise UserError(
            f"checkpoint {folder} was written by other networks: {name} is {found.get(name, 'absent')} there and "
            f"{wanted.get(name, 'absent')} here ({len(different)} arrays differ); undo the change to the experiment, "
            "or start over with --fresh."
        )


def _written(state: Any) -> Any:
    """What orbax is given of a state, or of its shapes: the numbers of keys, and a zero for arrays without elements."""

    def each(leaf: Any) -> Any:
        abstract = isinstance(leaf, jax.ShapeDtypeStruct)
        if not leaf.size:
            split = isinstance(leaf.sharding, NamedSharding)
            where = NamedSharding(leaf.sharding.mesh, PartitionSpec()) if split else leaf.sharding
            zero = jax.ShapeDtypeStruct((), jnp.uint8, sharding=where)
            return zero if abstract else _zeros(zero)
        if _is_key(leaf):
            numbers = jax.eval_shape(jax.random.key_data, leaf)
            numbers = jax.ShapeDtypeStruct(numbers.shape, numbers.dtype, sharding=leaf.sharding)
            return numbers if abstract else jax.jit(jax.random.key_data, out_shardings=leaf.sharding)(leaf)
        return leaf

    return jax.tree.map(each, state)


def _read_back(written: Any, like: Any) -> Any:
    """The state that `_written` was given, of shapes, types and shardings `like`."""

    def each(leaf: Any, of: Any) -> Any:
        if not of.size:
            return _zeros(of)
        if _is_key(of):
            kinds: list[Any] = []
            jax.eval_shape(lambda key: kinds.append(jax.random.key_impl(key)), of)
            return jax.jit(lambda x: jax.random.wrap_key_data(x, impl=kinds[0]), out_shardings=of.sharding)(leaf)
        return leaf

    return jax.tree.map(each, written, like)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _zeros(like: jax.ShapeDtypeStruct) -> jax.Array:
    """Zeros, if any, of a shape, type and sharding."""
    return jax.jit(lambda: jnp.zeros(like.shape, like.dtype), out_shardings=like.sharding)()


def _first_line(error: Exception) -> str:
    return textwrap.shorten(str(error).strip().split("\n")[0], 200, placeholder=" ...") or type(error).__name__


def _shapes(tree: Any) -> dict[str, str]:
    return {
        name: f"{jnp.dtype(leaf.dtype).name}{list(leaf.shape)}"
        for name, leaf in named(tree).items()
        if hasattr(leaf, "shape")
    }
