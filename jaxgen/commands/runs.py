"""What the commands share about runs: where the data is, and opening one."""

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jax.sharding import Mesh

from jaxgen.commands.trust import check_trusted
from jaxgen.console import say
from jaxgen.core import Method, TrainState
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment, ExperimentFile
from jaxgen.training import distributed
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.evaluate import standing
from jaxgen.training.model import Model
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.sharding import make_mesh, shardings_of
from jaxgen.training.stages import Planned


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Where prepared data sets are."""

    data_dir: Path | None = None
    """Folder of prepared TFDS sets (default: $TFDS_DATA_DIR, else ~/tensorflow_datasets)."""

    def apply(self) -> None:
        """Makes the folder known to the experiments' sources.

        Raises:
          UserError: it does not exist.
        """
        if self.data_dir is not None:
            if not self.data_dir.is_dir():
                problem = "is not a folder" if self.data_dir.exists() else "does not exist"
                raise UserError(f"data_dir {self.data_dir} {problem}; name the folder of prepared TFDS sets.")
            os.environ["TFDS_DATA_DIR"] = str(self.data_dir)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Which process of how many this is."""

    distributed: Literal["auto", "off"] = "auto"
    """Find the other processes by asking the cluster (Cloud TPU, GKE, SLURM, Open MPI), or train alone."""
    coordinator: str | None = None
    """HOST:PORT where process 0 listens, on any other cluster; with the next two."""
    num_processes: int | None = None
    """How many processes there are."""
    process_id: int | None = None
    """Which one this is, from 0."""
    join_timeout: int = 300
    """Seconds to wait for the other processes."""

    def join(self) -> None:
        """Joins the other processes, if there are any.

        Raises:
          UserError: the options do not fit together, or the others cannot be reached.
        """
        if self.distributed == "off" and self.coordinator is not None:
            raise UserError("distributed is off, and coordinator names other processes; leave one of them out.")
        if self.join_timeout < 1:
            raise UserError(f"join_timeout is {self.join_timeout}; it must be at least 1.")
        distributed.join(
            self.coordinator,
            self.num_processes,
            self.process_id,
            detect=self.distributed == "auto",
            timeout=self.join_timeout,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshOptions:
    """How the devices are arranged."""

    data: int | None = None
    """Devices along `data`, each with its share of the batch (default: all that the other axes leave)."""
    fsdp: int = 1
    """Devices along `fsdp`, each with its share of the batch and of the parameters."""
    tensor: int = 1
    """Devices along `tensor`, for experiments that split arrays over it."""
    zero1: Literal["auto", "off"] = "auto"
    """Split optimizer state and averages over half of a TPU slice, where fsdp is 1, or leave them whole."""

    def make(self, devices: Sequence[Any] | None = None) -> Mesh:
        """The mesh, of all devices unless some are given.

        Raises:
          UserError: it does not fit the devices.
        """
        zero1 = None if self.zero1 == "auto" else 1
        return make_mesh(self.data, self.fsdp, self.tensor, zero1=zero1, devices=devices)


def load_run(path: str | Path) -> Model:
    """A run that was trained: its method and averaged state on all devices, with `sample(key, count)` and `apply`.

    Raises:
      UserError: the folder is no run, has no checkpoint, or names an experiment that was never named on a command line.
    """
    return Run.open(Path(path), make_mesh()).model


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that was trained, restored from its newest checkpoint, or from the best that early stopping found."""

    folder: RunFolder
    settings: dict[str, Any]
    experiment: Experiment
    stage: Planned
    mesh: Mesh
    state: TrainState

    @property
    def method(self) -> Method:
        """Of the stage that was restored."""
        return self.stage.method

    @property
    def model(self) -> Model:
        """What was trained, ready to be applied."""
        return Model(self.method, self.state, self.mesh)

    @classmethod
    def open(cls, path: Path, mesh: Mesh) -> "Run":
        """Rebuilds the experiment from `config.json` and restores its state to a mesh, whichever it was saved from.

        Raises:
          UserError: the folder is no run, has no checkpoint, cannot be read, or names code that the user never named.
        """
        folder = RunFolder(path)
        settings = folder.read_config()
        source = Path(settings["file"])
        if source.resolve().is_relative_to(path.resolve()):
            raise UserError(
                f"run folder {path} brings its own code ({source}); jaxgen runs experiments outside of it only."
            )
        check_trusted(source, path)
        file = ExperimentFile.load(source)
        experiment = file.build(file.config_from_json(settings["config"]))
        if not folder.checkpoints.is_dir():
            raise UserError(f"run folder {path} has no checkpoints; train it first.")
        with contextlib.closing(Checkpoints(folder.checkpoints, read_only=True, say=say)) as checkpoints:
            restored = checkpoints.restore_best(lambda stage: experiment.trainer(mesh, stage).abstract_state())
        if restored is None:
            raise UserError(f"run folder {path} has no checkpoint yet; train it first.")
        stage, state = experiment.stage(restored.stage), restored.state
        state = standing(stage.method, mesh, shardings_of(state))(state)
        return cls(folder, settings, experiment, stage, mesh, state)
