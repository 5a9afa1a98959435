"""Checkpoints of a `TrainState`: written whole or not at all, verified when read.

Orbax writes asynchronously and commits by an atomic rename, so a process killed at any moment leaves the previous
checkpoints whole. It does not notice a flipped byte in an array; a checksum of every leaf, computed on the device and
saved beside the state in the same commit, does.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from jaxgen.core import TrainState
from jaxgen.errors import UserError

_TRASH = "trash"
_DISK_ERRORS = ("RESOURCE_EXHAUSTED", "No space left", "quota exceeded", "Read-only", "Permission denied")


class Checkpoints:
    """The checkpoints of one run, the newest `keep` of them.

    Args:
      directory: where they are.
      keep: how many stay.
      read_only: changes nothing, not even what a killed run left half written: the run may be alive.
    """

    def __init__(self, directory: Path, keep: int = 3, *, read_only: bool = False):
        self.directory = directory.absolute()
        if read_only:
            options = ocp.CheckpointManagerOptions(create=False, save_root_metadata=False)
        else:
            # Old steps are renamed into the trash, then deleted: a kill in mid-deletion must not leave half a step.
            shutil.rmtree(self.directory / _TRASH, ignore_errors=True)
            options = ocp.CheckpointManagerOptions(
                max_to_keep=keep, cleanup_tmp_directories=True, todelete_subdir=_TRASH
            )
        self._manager = ocp.CheckpointManager(self.directory, options=options)

    def latest_step(self) -> int | None:
        """The newest committed step, or None."""
        return self._manager.latest_step()

    def save(self, state: TrainState) -> None:
        """Starts writing the state under its step; a step already there is left as it is.

        The state may be donated as soon as this returns.

        Raises:
          UserError: the disk is too full, or the previous write failed.
        """
        step = int(state.step)
        self.wait()
        if step in self._manager.all_steps():
            return
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        free = shutil.disk_usage(self.directory).free
        if free < 1.1 * size:
            raise self._full(f"{free / 1e6:.0f} MB are free and a checkpoint takes {size / 1e6:.0f} MB")
        args = ocp.args.Composite(
            state=ocp.args.StandardSave(state), checksums=ocp.args.JsonSave(_named(jax.device_get(_checksums(state))))
        )
        with self._disk_errors():
            self._manager.save(step, args=args)

    def restore(self, like: TrainState, step: int | None = None) -> TrainState:
        """The state of a step, by default the newest.

        Args:
          like: shapes, types and shardings to restore to (`jax.ShapeDtypeStruct` leaves).
          step: which one.

        Raises:
          UserError: it is damaged, or was written by other networks.
        """
        step = self.latest_step() if step is None else step
        folder = self.directory / str(step)
        args = ocp.args.Composite(state=ocp.args.StandardRestore(like), checksums=ocp.args.JsonRestore())
        self._check_fits(like, step)
        try:
            restored = self._manager.restore(step, args=args)
            intact = _named(jax.device_get(_checksums(restored["state"]))) == restored["checksums"]
        except Exception as error:  # orbax raises whatever the damaged file made its reader raise
            reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
            raise UserError(f"checkpoint {folder} cannot be read ({reason}); {self._remedy(step)}") from error
        if not intact:
            raise UserError(f"checkpoint {folder} is corrupt (its checksums do not match); {self._remedy(step)}")
        return restored["state"]

    def wait(self) -> None:
        """Returns when the last `save` is on disk.

        Raises:
          UserError: it could not be written.
        """
        with self._disk_errors():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits and releases the writer's threads."""
        self.wait()
        self._manager.close()

    def _check_fits(self, like: TrainState, step: int | None) -> None:
        folder = self.directory / str(step) / "state"
        try:
            saved = ocp.StandardCheckpointHandler().metadata(folder)  # pyright: ignore[reportArgumentType]
            found = _shapes(getattr(saved, "tree", saved))
        except Exception:  # unreadable metadata: `restore` says so
            return
        wanted = _shapes(like)
        if different := sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)):
            name = different[0]
            raise UserError(
                f"checkpoint {self.directory / str(step)} was written by other networks: {name} is "
                f"{found.get(name, 'absent')} there and {wanted.get(name, 'absent')} here ({len(different)} arrays "
                "differ); undo the change to the experiment, or start over with --fresh."
            )

    def _remedy(self, step: int | None) -> str:
        others = [other for other in self._manager.all_steps() if other != step]
        if others:
            return f"move that folder away to continue from step {max(others)}."
        return "no other is left; start over with --fresh."

    def _full(self, reason: str) -> UserError:
        return UserError(
            f"no checkpoint could be written to {self.directory}: {reason}; free some space and run the same command "
            "again, the checkpoints already there are whole."
        )

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if any(sign in str(error) for sign in _DISK_ERRORS):
                raise self._full(str(error).strip().split("\n")[0][:200]) from error
            raise


@jax.jit
def _checksums(state: TrainState) -> TrainState:
    """A 32-bit sum of each leaf's bits, every element weighted by its position; the same on any sharding."""

    def checksum(leaf: jax.Array) -> jax.Array:
        bits = leaf.astype(jnp.uint8) if leaf.dtype == bool else leaf
        bits = jax.lax.bitcast_convert_type(bits, jnp.dtype(f"uint{8 * min(bits.dtype.itemsize, 4)}"))
        position = jnp.zeros((), jnp.uint32)  # in row-major order; flattening would gather what is split over devices
        for axis, size in enumerate(bits.shape):
            position = position * size + jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
        return jnp.sum(bits.astype(jnp.uint32) * (2 * position + 1), dtype=jnp.uint32)

    return jax.tree.map(checksum, state)


def _named(tree: Any) -> dict[str, int]:
    return {jax.tree_util.keystr(path): int(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _shapes(tree: Any) -> dict[str, str]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    # Orbax names the fields of dataclasses and tuples as dictionary keys: compare the keys alone.
    return {
        "/".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path): (
            f"{jnp.dtype(leaf.dtype).name}{list(leaf.shape)}"
        )
        for path, leaf in leaves
        if hasattr(leaf, "shape")
    }
