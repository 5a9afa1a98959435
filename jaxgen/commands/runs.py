"""What the commands share about runs: where the data is, and opening one."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from jaxgen.commands.trust import check_trusted
from jaxgen.console import say
from jaxgen.core import Method, TrainState
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment, ExperimentFile
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.evaluate import standing
from jaxgen.training.model import Model
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.sharding import make_mesh, shardings_of
from jaxgen.training.stages import Planned


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
