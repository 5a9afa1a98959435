"""The folder of a run: what is in it, and who may write there."""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxgen.errors import UserError
from jaxgen.files import no_link, read_regular, write_atomically

_PATIENCE = 10  # seconds until what another machine has written is seen on a shared disk


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """`config.json`, `metrics.jsonl`, TensorBoard events, `checkpoints/`, `samples/`, `eval.json` and `report.html`.

    And `drawings/` where the experiment has any, `rollbacks.json` where batches were skipped, `checkpoints/damaged/`
    where files were broken, `compiled/` where several processes share programs; `.lock`, which is empty, belongs to
    whoever trains there.
    """

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def lock_file(self) -> Path:
        return self.path / ".lock"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def rollbacks_file(self) -> Path:
        return self.path / "rollbacks.json"

    @property
    def eval_file(self) -> Path:
        return self.path / "eval.json"

    @property
    def starts_file(self) -> Path:
        return self.path / "starts.json"

    @property
    def stages_file(self) -> Path:
        return self.path / "stages.json"

    @property
    def nulls_file(self) -> Path:
        return self.path / "nulls.json"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def drawings(self) -> Path:
        return self.path / "drawings"

    @property
    def compiled(self) -> Path:
        return self.path / "compiled"

    @property
    def exists(self) -> bool:
        """Whether anything is there, but for the lock and what a `create` left that a kill or a full disk cut short."""
        if not self.path.is_dir():
            return self.path.exists()
        left = (self.lock_file.name, f".{self.config_file.name}.")
        return any(not path.name.startswith(left) for path in self.path.iterdir())

    def read_config(self) -> dict[str, Any]:
        """What `write_config` wrote.

        Raises:
          UserError: the folder is not a run's, or its configuration cannot be read.
        """
        if not self.path.is_dir():
            problem = "is not a folder" if self.path.exists() else "does not exist"
            raise UserError(f"run folder {self.path} {problem}; name a folder that `jaxgen train` wrote.")
        if not self.config_file.is_file():
            raise UserError(f"folder {self.path} is not a run of jaxgen (it has no config.json); name another folder.")
        try:
            config = json.loads(self.config_file.read_text())
            kinds = {"experiment": str, "file": str, "config": dict, "started": str}
            if not isinstance(config, dict) or any(type(config.get(k)) is not kind for k, kind in kinds.items()):
                raise ValueError("it lacks the experiment, its file, its settings or when it started")
            Path(config["file"]).resolve()  # refuses what cannot be a file's name
        except (ValueError, OSError, RecursionError) as error:
            raise UserError(f"{self.config_file} cannot be read ({error}); mend it, or name another folder.") from error
        if type(config.get("fingerprint")) is not dict:
            raise UserError(
                f"run folder {self.path} was written by an earlier version, which named experiments and data "
                "otherwise; train it anew in another folder."
            )
        return config

    def create(self, config: dict[str, Any]) -> None:
        """Makes the folder of a new run.

        Raises:
          UserError: something is there already, or the folder cannot be written.
        """
        with self._writing():
            self.write_config(config)  # first: without it the folder would be nobody's
            self.samples.mkdir(exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)

    def clear(self) -> None:
        """Deletes everything but the lock; `config.json` last, so that a clearing that was cut short can be repeated.

        Raises:
          UserError: something cannot be deleted.
        """
        with self._writing():
            for path in sorted(self.path.iterdir(), key=lambda path: path == self.config_file):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path != self.lock_file:
                    path.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in the folder, which is made; the kernel unlocks it when this one dies.

        Raises:
          UserError: another process trains there, or the folder cannot be written.
        """
        with contextlib.ExitStack() as stack:
            with self._writing():
                self.path.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(open(self.lock_file, "a", opener=no_link))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"run folder {self.path} is being trained in by another process; wait until that has ended, or "
                    "name another with --run-dir."
                ) from error
            except OSError:
                pass  # a file system without locks, such as a bucket, is used without
            yield

    def token(self) -> str:
        """What tells this folder from another: a hash of its settings, which a shared disk may show after a while."""
        for _ in range(_PATIENCE):
            with contextlib.suppress(OSError):
                return hashlib.sha256(self.config_file.read_bytes()).hexdigest()[:12]
            time.sleep(1)
        return "absent"

    def write_config(self, config: dict[str, Any]) -> None:
        """Writes the settings of a run, new or continued.

        Raises:
          OSError: the folder cannot be written; the settings there are as they were.
        """
        write_json(self.config_file, config)

    def write_evaluation(self, evaluation: dict[str, Any]) -> None:
        """Writes held-out figures; what an earlier evaluation of the same step found out beside them stays."""
        # There may be none, or it cannot be read.
        with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError):
            earlier = json.loads(read_regular(self.eval_file))
            if earlier.get("step") == evaluation["step"]:
                evaluation = {**earlier, **evaluation}
        write_json(self.eval_file, evaluation)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"run folder {self.path} cannot be written ({error.strerror}); name another with --run-dir."
            ) from error

    def check_same(self, config: dict[str, Any], defaults: dict[str, Any]) -> None:
        """Refuses to continue a run under other settings or on other data; `steps` may change: a run can be extended.

        Before the first row of metrics there is nothing to lose, and any settings will do. A run killed between that
        and its first checkpoint starts over; one whose checkpoints were taken away does not, as far as that shows. A
        field that the experiment got since the run began had its value of `defaults`.

        Raises:
          UserError: the folder is foreign, the settings or the data differ, or the checkpoints are gone.
        """
        before = self.read_config()
        if before["experiment"] != config["experiment"]:
            raise UserError(
                f"run folder {self.path} holds a run of {before['experiment']}, not of {config['experiment']}; "
                "name another with --run-dir, or start over there with --fresh."
            )
        saved = any(path.name.isdigit() for path in self.checkpoints.glob("*"))
        logged = self.metrics_file.is_file() and self.metrics_file.stat().st_size > 0
        if not saved and not logged:
            return
        old, new = {**defaults, **before["config"]}, config["config"]
        for field in sorted((old.keys() | new.keys()) - {"steps"}):
            if old.get(field) != new.get(field):
                raise UserError(
                    f"{field} is {new.get(field)!r} but the run in {self.path} began with {old.get(field)!r}; "
                    "go back to that, name another folder with --run-dir, or start over with --fresh."
                )
        if before["fingerprint"] != config["fingerprint"]:
            changed = _differing(before["fingerprint"], config["fingerprint"])
            raise UserError(
                f"the data of the run in {self.path} has changed ({changed}); put it back as it was, or start over "
                "with --fresh."
            )
        if not saved and ("ended" in before or not self.checkpoints.is_dir()):
            raise UserError(
                f"the run in {self.path} has metrics but its checkpoints are gone; put them back, or start over with "
                "--fresh."
            )


def _differing(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The first entry of two fingerprints that differs."""
    name = next(name for name in (*old, *new) if old.get(name) != new.get(name))
    return f"{name}: {old.get(name)}, now {new.get(name)}"


def write_json(path: Path, value: Any) -> None:
    """Writes JSON whole or not at all."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())
