"""An experiment: a method, its data and a schedule; and how one is read from its file."""

import contextlib
import dataclasses
import functools
import importlib.util
import math
import sys
import textwrap
import traceback
import types
import typing
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from jaxgen import shipped
from jaxgen.closest import closest
from jaxgen.core import Batch, Drawing, Method, TrainState
from jaxgen.data.check import check_declarations, check_examples
from jaxgen.data.pipeline import batches, evaluation_batches
from jaxgen.data.source import Dataset, Source
from jaxgen.errors import UserError
from jaxgen.settings import check_seed, config_to_json, restore, survives_json
from jaxgen.training.early_stopping import EarlyStopping
from jaxgen.training.evaluate import Masked, evaluate
from jaxgen.training.prepared import prepared
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import Patterns, batch_sharding, matching
from jaxgen.training.stages import Planned, Stage, check_stages
from jaxgen.training.trainer import Trainer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """What `jaxgen train` runs: one method, or several in stages.

    Attributes:
      method: networks, losses and optimizers; where there are stages, left out, and the last one's.
      stages: what happens in order, where there are several.
      data: training and held-out examples, and for early stopping validation examples.
      schedule: how many steps, and when to log, draw and save.
      batch_size: examples in a batch, over all devices.
      seed: of initialization, data order and noise.
      drawings: pictures of what was learned beside its samples, `drawings/<name>.png` in the run folder.
      sharding: exceptions to the rule that splits the state over the mesh (`jaxgen.training.sharding.state_shardings`).
      early_stopping: of a single method, ends training when validation examples say so, and goes back to the best
        state; None never does.
    """

    method: Method = None  # pyright: ignore[reportAssignmentType]  # `__post_init__` sees to it
    stages: tuple[Stage, ...] = ()
    data: Dataset
    schedule: Schedule
    batch_size: int
    seed: int
    drawings: Mapping[str, Drawing] = dataclasses.field(default_factory=dict)
    sharding: Patterns = dataclasses.field(default_factory=dict)
    early_stopping: EarlyStopping | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**64:
            raise UserError(f"seed is {self.seed}; it must have at most 64 bits.")
        if self.stages and self.method in (None, self.stages[-1].method):
            object.__setattr__(self, "method", self.stages[-1].method)
        elif self.stages or self.method is None:
            raise UserError("an experiment has either a method or stages; give it one of the two.")
        if self.stages and self.early_stopping:
            raise UserError("early_stopping is given beside stages; give it to a stage.")
        for stage in self.plan:
            where = f" of stage {stage.name!r}" if self.stages else ""
            if not stage.method.phases:
                raise UserError(f"phases{where} of {stage.method.name} is empty; give it one at least.")
            if stage.batch_size < 1:
                raise UserError(f"batch_size{where} is {stage.batch_size}; it must be at least 1.")
            if stage.early_stopping and stage.data.validation is None:
                raise UserError(
                    f"early_stopping{where} needs validation examples, which {stage.data.name} has not; leave it out."
                )

    @functools.cached_property
    def plan(self) -> tuple[Planned, ...]:
        """The stages, with nothing left open: a single method is one of them, named "train"."""
        stages = self.stages or (Stage("train", self.method, early_stopping=self.early_stopping),)
        lengths = check_stages(stages, self.schedule.steps, self.schedule.steps_per_call)
        return tuple(
            Planned(
                stage.name,
                prepared(stage.method, (stage.data or self.data).on_device),
                steps,
                stage.data or self.data,
                self.batch_size if stage.batch_size is None else stage.batch_size,
                stage.carry,
                stage.early_stopping,
            )
            for stage, steps in zip(stages, lengths, strict=True)
        )

    def stage(self, name: str = "") -> Planned:
        """The stage of a name; the last one where none is given.

        Raises:
          UserError: there is none of that name.
        """
        if not name:
            return self.plan[-1]
        for stage in self.plan:
            if stage.name == name:
                return stage
        raise UserError(f"stage is {name!r}; choose {' or '.join(stage.name for stage in self.plan)}.")

    def trainers(self, mesh: Mesh) -> tuple[Trainer, ...]:
        """The stages on a mesh.

        Raises:
          UserError: batch size, data, method and early stopping do not fit each other or the mesh, or a sharding
            pattern matches an array of no stage.
        """
        trainers = tuple(self._trainer(index, mesh) for index in range(len(self.plan)))
        if len(trainers) > 1:
            own = [matching(self.sharding, trainer.shapes) for trainer in trainers]
            if unused := sorted(set(self.sharding) - {pattern for patterns in own for pattern in patterns}):
                raise UserError(f"sharding pattern {unused[0]!r} matches no array of any stage; correct or remove it.")
            for trainer, patterns in zip(trainers, own, strict=True):
                trainer.sharding = patterns
        return trainers

    def trainer(self, mesh: Mesh, stage: str = "") -> Trainer:
        """One stage on a mesh: the one of that name, or the last."""
        return self.trainers(mesh)[self.plan.index(self.stage(stage))]

    def _trainer(self, index: int, mesh: Mesh) -> Trainer:
        stage = self.plan[index]
        check_declarations(stage.method.takes, stage.data, method=stage.method.name)
        stream = functools.partial(
            batches,
            stage.data.train,
            batch_size=stage.batch_size,
            seed=self.seed,
            batches_per_step=stage.method.batches_per_step,
            steps_per_call=self.schedule.steps_per_call,
            sharding=batch_sharding(mesh),
        )

        @functools.cache
        def look() -> None:
            check_examples(stage.method.takes, stage.data, method=stage.method.name)

        def start(step: int) -> Generator[Batch, None, None]:
            look()
            return stream(start_step=step)

        def validation() -> Generator[Masked, None, None]:
            assert stage.data.validation is not None  # `__post_init__` has seen to it
            return self._padded(stage, stage.data.validation, mesh)

        return Trainer(
            stage.method,
            self.schedule,
            start,
            stage.data.train.batch_spec(stage.batch_size),
            self.seed,
            mesh,
            self.sharding,
            stage.early_stopping,
            validation,
            stage=stage.name,
            index=index,
            length=stage.steps,
            carry=stage.carry,
            data=stage.data,
        )

    def evaluate(self, state: TrainState, mesh: Mesh, stage: str = "") -> dict[str, Any]:
        """A stage's own figures on the held-out examples, as `eval.json` holds them."""
        of = self.stage(stage)
        held_out = of.data.test
        figures = evaluate(of.method, state, self.held_out(mesh, stage), mesh)
        return {"step": int(state.step), "split": held_out.split, "examples": len(held_out), "figures": figures}

    def held_out(self, mesh: Mesh, stage: str = "") -> Generator[Masked, None, None]:
        """A stage's held-out examples in batches."""
        of = self.stage(stage)
        return self._padded(of, of.data.test, mesh)

    def _padded(self, stage: Planned, source: Source, mesh: Mesh) -> Generator[Masked, None, None]:
        return evaluation_batches(source, batch_size=stage.batch_size, sharding=batch_sharding(mesh))


_imported: set[str] = set()  # names of modules that experiments imported from beside them


@dataclasses.dataclass(frozen=True)
class ExperimentFile:
    """`FAMILY/METHOD.py`: a frozen dataclass `Config` and `experiment(config) -> Experiment`.

    Where `Config` has a field `data`, `PRESETS` may give a `Config` for each data set, `{"digits": Config(...)}`: the
    first is that of a command which names no data, and "other" that of data sets without one of their own.
    """

    path: Path
    module: types.ModuleType

    @classmethod
    def load(cls, path: Path) -> "ExperimentFile":
        """Imports the file, which may itself import what lies beside it, as a script may.

        Raises:
          UserError: it does not exist, cannot be imported, or is no experiment.
        """
        path = path.absolute()
        if not path.is_file():
            problem = "is a folder" if path.is_dir() else "does not exist"
            raise UserError(f"experiment file {path} {problem}; {_suggest(path)}")
        name = f"jaxgen_experiment_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise UserError(f"experiment file {path} is not a Python file; name one that ends in .py.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up there
        try:
            with _neighbours(path):
                spec.loader.exec_module(module)
        except SyntaxError as error:
            raise UserError(f"experiment {path} has a syntax error in line {error.lineno}: {error.msg}.") from error
        except ImportError as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"experiment {path} cannot be imported ({reason}); install what it needs, or mend it."
            ) from error
        except SystemExit as stop:
            raise UserError(
                f"experiment {path} ends Python, with code {stop.code!r}, when it is imported; take that out."
            ) from stop
        except (UserError, OSError):
            raise
        except Exception as error:  # whatever somebody's code raises
            raise UserError(_failure(path, error)) from error
        if not dataclasses.is_dataclass(getattr(module, "Config", None)) or not hasattr(module, "experiment"):
            raise UserError(f"experiment file {path} needs a dataclass `Config` and a function `experiment(config)`.")
        for field in dataclasses.fields(module.Config):
            missing = field.init and field.default is field.default_factory is dataclasses.MISSING
            if missing and not getattr(module, "PRESETS", None):
                raise UserError(f"experiment file {path}: Config.{field.name} has no default; give it one.")
        return cls(path, module)

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def config_type(self) -> type:
        """The experiment's `Config`."""
        return self.module.Config

    @functools.cached_property
    def presets(self) -> dict[str, Any]:
        """Data set -> `Config`; one named "" where there is no choice of data."""
        given: dict[str, Any] = getattr(self.module, "PRESETS", None) or {"": self.config_type()}
        return {name: dataclasses.replace(each, **({"data": name} if name else {})) for name, each in given.items()}

    def preset(self, data: str | None = None) -> Any:
        """The settings for a data set, or for that of the first preset, where nothing else is said of them."""
        presets = list(self.presets.values())
        if data is None:
            return presets[0]
        known = self.presets.get(data)
        return known or dataclasses.replace(self.presets.get("other", presets[0]), data=data)

    def config(self, **settings: Any) -> Any:
        """A `Config`: the preset of `data`, with these settings changed."""
        return dataclasses.replace(self.preset(settings.get("data")), **settings)

    def build(self, config: Any) -> Experiment:
        """The experiment of a configuration.

        Raises:
          UserError: a field has a value that `check` refuses, or the file fails, or makes something else.
        """
        self.check(config)
        try:
            with _neighbours(self.path):
                experiment = self.module.experiment(config)
        except (UserError, OSError):
            raise
        except Exception as error:  # whatever somebody's code raises
            raise UserError(_failure(self.path, error)) from error
        if not isinstance(experiment, Experiment):
            raise UserError(
                f"experiment({type(config).__name__}) of {self.path} returns {type(experiment).__name__}; let it "
                "return an Experiment."
            )
        return experiment

    def check(self, config: Any) -> None:
        """Refuses a configuration that no run could have.

        Raises:
          UserError: a whole number other than the seed is below 1 and every preset's, or has more than 63 bits; the
            learning rate is a number that is not positive; or a field would not come back from `config.json` as it is.
        """
        rate = getattr(config, "learning_rate", None)
        if isinstance(rate, int | float) and not 0 < rate < math.inf:
            raise UserError(f"learning_rate is {rate}; it must be a positive number.")
        check_seed(getattr(config, "seed", 0))
        defaults = [config_to_json(preset) for preset in self.presets.values()]
        for field, value in config_to_json(config).items():
            lowest = min([1, *(default[field] for default in defaults if isinstance(default[field], int))])
            if type(value) is int and field != "seed" and value < lowest:
                raise UserError(f"{field} is {value}; it must be at least {lowest}.")
            if large := [n for n in jax.tree.leaves(value) if type(n) is int and abs(n) >= 2**63]:
                raise UserError(f"{field} holds a number of {large[0].bit_length()} bits; it must be below 2**63.")
            if not survives_json(value):
                raise UserError(f"{field} is {value!r}, which config.json cannot hold; make it a number or a string.")
        again = self.config_from_json(config_to_json(config))
        for field in defaults[0]:
            if getattr(again, field) != getattr(config, field):
                raise UserError(
                    f"{field} is {getattr(config, field)!r}, which comes back from config.json as "
                    f"{getattr(again, field)!r}; give the field the type that it has."
                )

    def config_from_json(self, values: Mapping[str, Any]) -> Any:
        """A `Config` from what `config_to_json` wrote.

        Raises:
          UserError: a field is unknown or of the wrong type.
        """
        types_of = typing.get_type_hints(self.config_type)
        if unknown := sorted(set(values) - set(types_of)):
            raise UserError(f"{self.path.name} has no field {unknown[0]!r}, which the run began with; put it back.")
        return self.config(**{name: restore(name, types_of[name], value) for name, value in values.items()})


@contextlib.contextmanager
def _neighbours(file: Path) -> Iterator[None]:
    """Lets a file import what is in its folder and what the shipped experiments share, as long as this lasts.

    Two experiments in different folders may each have a neighbour of the same name: the earlier one is forgotten.
    """
    folders = [str(file.parent), str(shipped.folder())]

    def is_neighbour(name: str) -> bool:
        origin = Path(getattr(sys.modules.get(name.partition(".")[0]), "__file__", None) or "/")
        return str(origin.parents[1] if origin.name == "__init__.py" else origin.parent) in folders

    for name in [name for name in _imported if not is_neighbour(name)]:
        sys.modules.pop(name, None)
        _imported.discard(name)
    before = set(sys.modules)
    sys.path[:0] = folders
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)
        _imported.update(name for name in set(sys.modules) - before if is_neighbour(name))


def _failure(path: Path, error: Exception) -> str:
    """Where in an experiment's file an error comes from, and which it is."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f" in line {lines[-1]}" if lines else ""
    reason = textwrap.shorten(str(error), 200, placeholder=" ...")
    return f"experiment {path} fails{where} ({type(error).__name__}: {reason}); mend it."


def _suggest(path: Path) -> str:
    if path.is_dir():
        return f"`jaxgen list {path}` shows the experiments in it."
    there = {file.stem: file for file in path.parent.glob("*.py")}
    if close := closest(path.stem, there):
        return f"did you mean {there[close]}?"
    return "`jaxgen list` shows the shipped experiments, which are named without a path."
