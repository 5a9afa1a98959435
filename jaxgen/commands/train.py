"""`jaxgen train NAME`: trains into a run folder, and ends by saying what is in it."""

import contextlib
import dataclasses
import datetime
import importlib.util
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

import jaxgen
from jaxgen.commands.arguments import numbers, parse_experiment
from jaxgen.commands.options import LaunchOptions, Train
from jaxgen.commands.tables import figures_table, held_out_figures, keep_figures, runs_table
from jaxgen.console import Console
from jaxgen.core import Method
from jaxgen.data.check import digest
from jaxgen.data.lookup import short_name
from jaxgen.errors import NonFiniteError, UserError
from jaxgen.experiment import Experiment, ExperimentFile
from jaxgen.report.comparison import Recorded
from jaxgen.report.figure import save_figure
from jaxgen.report.grid import has_picture, save_samples
from jaxgen.report.page import write_report
from jaxgen.settings import config_to_json
from jaxgen.training import process
from jaxgen.training.checkpoint import check_name
from jaxgen.training.distributed import check_agreement, code_version, failing_together, on_first_process
from jaxgen.training.evaluate import compiled_on_view, standing
from jaxgen.training.event_file import EventFile
from jaxgen.training.loop import train
from jaxgen.training.preemption import sigterm_raises
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import paced
from jaxgen.training.sharding import described, shardings_of
from jaxgen.training.starts import from_run
from jaxgen.training.trainer import Trainer

_ROLLBACKS = 3  # in a run: whoever needs more needs a lower learning rate


@sigterm_raises()
@failing_together()
def main(args: Sequence[str]) -> None:
    """Runs the command: on several processes, everywhere alike, while only the first writes, draws and prints."""
    file, config, options = parse_experiment(Train, args, "jaxgen train")
    options.apply()
    process.configure()
    options.join()
    process.check_devices()
    check_agreement(lambda: _command(file, config, options))
    console = Console(quiet=jax.process_index() != 0)
    mesh = options.mesh.make()
    again = shlex.join(["jaxgen", "train", *(arg for arg in args if arg != "--fresh")])
    planned = []
    for each in _seeded(config, options.seeds):
        experiment, name = _built(file, each, options), _name(file, each)
        data = short_name(getattr(each, "data", experiment.data.name))
        folder = RunFolder(options.run_dir or Path("runs") / file.name / data / name)
        if options.run_dir and options.seeds:
            folder = RunFolder(options.run_dir / f"seed={each.seed}")
        settings = {"command": again, **_settings(file, each, name, experiment, mesh)}
        _check(folder, settings, config_to_json(file.preset(getattr(each, "data", None))), options.fresh)
        planned.append((experiment, folder, settings))
    for experiment, folder, settings in planned:
        evaluation = _train(file, experiment, mesh, folder, settings, console, options)
        console.print(figures_table(evaluation))
        farewell = _farewell(folder, _longer(args, settings["config"]), options.data_dir, experiment.method)
        if lag := _lag(experiment.method, experiment.plan[-1].steps):
            console.print(lag, markup=False, highlight=False, soft_wrap=True)
        console.print(farewell, markup=False, highlight=False, soft_wrap=True)
    if options.seeds and not console.quiet:
        runs = {f"seed {settings['config']['seed']}": Recorded.read(folder.path) for _, folder, settings in planned}
        console.print(runs_table(runs))


def _seeded(config: Any, seeds: str) -> list[Any]:
    """The configuration with each seed; itself where none are named.

    Raises:
      UserError: the experiment has no seed, one is named twice, or --seed names another.
    """
    named = numbers("seeds", seeds)
    if not named:
        return [config]
    if not hasattr(config, "seed"):
        raise UserError(f"seeds is {seeds!r}, but this experiment has no seed; leave it out.")
    if len(set(named)) < len(named):
        raise UserError(f"seeds is {seeds!r}, which names one twice; name each once.")
    if config.seed not in (type(config)().seed, *named):
        raise UserError(f"--seed is {config.seed} and --seeds is {seeds!r}; give one of them.")
    return [dataclasses.replace(config, seed=seed) for seed in named]


def _train(
    file: ExperimentFile,
    experiment: Experiment,
    mesh: Mesh,
    folder: RunFolder,
    settings: dict[str, Any],
    console: Console,
    options: Train,
) -> dict[str, Any]:
    """Trains one run in its folder, and returns its held-out figures."""
    trainers = experiment.trainers(mesh)
    for trainer in trainers:
        trainer.batches(0).close()  # refuses what does not fit the data before anything is written
        process.check_room(trainer.abstract_state(), mesh)  # and what does not fit the mesh, or into it
    check_agreement(lambda: {"data": [digest(stage.data) for stage in experiment.plan]}, "give all the same files")
    if jumps := not options.fresh and _jumps(file, settings, options, folder, trainers):
        console.print(jumps, markup=False, highlight=False, soft_wrap=True)
    multihost_utils.sync_global_devices("jaxgen has checked the run")
    with contextlib.ExitStack() as held:
        on_first_process(lambda: _take(folder, settings, options.fresh, held))
        if jax.process_count() > 1:
            process.share_compiled(folder.compiled)
        shared = f"name a folder that all share with --run-dir, which {folder.path} is not"
        check_agreement(lambda: {"the run folder's content": folder.token()}, shared)
        what = f"{', then '.join(stage.method.name for stage in experiment.plan)} on {experiment.data.name}"
        over = f" over {described(mesh.shape)}" if mesh.size > 1 else ""
        console.print(
            f"Training {settings['experiment']} ({what}) in {folder.path}{over}", markup=False, soft_wrap=True
        )
        rollbacks = _ROLLBACKS if options.on_nonfinite == "rollback" else 0
        return _train_to_the_end(experiment, trainers, folder, settings, console, rollbacks)


def _train_to_the_end(
    experiment: Experiment,
    trainers: Sequence[Trainer],
    folder: RunFolder,
    settings: dict[str, Any],
    console: Console,
    rollbacks: int,
) -> dict[str, Any]:
    """Trains to the end, and writes and returns what `eval.json` holds."""
    first = jax.process_index() == 0

    def started() -> None:  # a command refused for where the run is must leave its settings as they are
        on_first_process(lambda: _note(folder, settings))

    try:
        state = train(trainers, folder, _draw, console, rollbacks, started)
    except (NonFiniteError, KeyboardInterrupt):
        if first:
            write_report(folder.path)
        raise
    trainer = trainers[-1]
    state = standing(trainer.method, trainer.mesh, shardings_of(state))(state)
    evaluation = held_out_figures(experiment, trainer, state, folder)
    drawn: dict[str, float] = {}
    for name, drawing in experiment.drawings.items():
        compute = compiled_on_view(trainer.method, drawing.compute, trainer.mesh, shardings_of(state))
        arrays = jax.device_get(compute(state))
        if first:
            save_figure(folder.drawings / f"{name}.png", drawing.draw(arrays))
            drawn |= {figure: float(number) for figure, number in drawing.numbers(arrays).items()}
    if drawn:
        evaluation["drawn"] = {figure: {"value": number, "nulls": {}} for figure, number in drawn.items()}
    if first:
        folder.write_config({**settings, "ended": _now()})
        keep_figures(folder, evaluation)
    return evaluation


def _note(folder: RunFolder, settings: dict[str, Any]) -> None:
    """Writes the settings of a run that begins or goes on."""
    folder.write_config(settings)
    with contextlib.closing(EventFile(folder.path)) as events:
        events.settings(settings["config"])


def _draw(path: Path, samples: np.ndarray) -> None:
    """Writes a picture of samples, where they have one: rows of a table do not."""
    if has_picture(samples.shape):
        save_samples(path, samples)


def _check(folder: RunFolder, settings: dict[str, Any], defaults: dict[str, Any], fresh: bool) -> None:
    check_name(folder.checkpoints)
    if folder.exists and fresh:
        folder.read_config()  # a folder that is not a run is not ours to delete
    elif folder.exists:
        folder.check_same(settings, defaults)


def _jumps(
    file: ExperimentFile, settings: Mapping[str, Any], options: Train, folder: RunFolder, trainers: Sequence[Trainer]
) -> str:
    """What there is to say to a run that goes on for other steps than it began with: nothing, or that a schedule jumps.

    The same step for as many steps as before is traced beside this one; where the two are not one program, something
    else than the run's length depends on the number.
    """
    before = folder.read_config()["config"].get("steps") if folder.metrics_file.exists() else None
    now = settings["config"].get("steps")
    if type(before) is not int or before == now:
        return ""
    config = file.config_from_json({**settings["config"], "steps": before})
    earlier = _built(file, config, dataclasses.replace(options, steps_per_call=1))  # as then, whatever it was
    mesh, schedule = trainers[0].mesh, trainers[0].schedule
    others = dataclasses.replace(earlier, schedule=schedule).trainers(mesh)
    if all(a.trace().lower().as_text() == b.trace().lower().as_text() for a, b in zip(trainers, others, strict=True)):
        return ""
    return (
        f"steps was {before} and is {now}: this experiment's rates or weights follow a schedule of steps, which jumps "
        f"where the run resumes; `--init-from {folder.path}` begins another run with its networks instead."
    )


def _take(folder: RunFolder, settings: dict[str, Any], fresh: bool, held: contextlib.ExitStack) -> None:
    held.enter_context(folder.locked())
    if fresh:
        folder.clear()
    if folder.exists:
        settings["started"] = folder.read_config()["started"]
    else:
        folder.create(settings)


def _built(file: ExperimentFile, config: Any, options: Train) -> Experiment:
    with paced(checkpoint_every=options.checkpoint_every, steps_per_call=options.steps_per_call):
        experiment = file.build(config)
    return experiment if options.init_from is None else _starting_from(experiment, options.init_from)


def _starting_from(experiment: Experiment, run: Path) -> Experiment:
    """The experiment, its first stage's networks with the parameters of a run."""
    first = experiment.plan[0].method
    nets = {name: dataclasses.replace(net, start=from_run(run, name)) for name, net in first.nets.items()}
    method = dataclasses.replace(first, nets=nets)
    if not experiment.stages:
        return dataclasses.replace(experiment, method=method)
    stages = (dataclasses.replace(experiment.stages[0], method=method), *experiment.stages[1:])
    return dataclasses.replace(experiment, stages=stages, method=stages[-1].method)


def _name(file: ExperimentFile, config: Any) -> str:
    """The settings that are not the data's preset; `steps` is left out: a longer run continues a shorter one.

    Brackets of lists, quotes and the like are left out too, and a path's slashes become "_": it is to be one folder,
    with a name that needs no quoting.
    """
    default = config_to_json(file.preset(getattr(config, "data", None)))
    changed = {k: v for k, v in config_to_json(config).items() if v != default[k] and k != "steps"}
    name = ",".join(f"{k}={v}" for k, v in changed.items()).replace("/", "_")
    return re.sub(r"[^\w.,=+-]", "", name) or "default"


def _command(file: ExperimentFile, config: Any, options: Train) -> dict[str, Any]:
    """What all processes have to have alike, but for where each finds its data and which of them it is."""
    own = {"data_dir", *(field.name for field in dataclasses.fields(LaunchOptions))}
    return {
        "the experiment": file.name,
        "the version of jaxgen": jaxgen.__version__,
        "the version of jax": jax.__version__,
        "the hash of the code": code_version(file.path),
        **config_to_json(config),
        **{name: value for name, value in config_to_json(options).items() if name not in own},
    }


def _settings(file: ExperimentFile, config: Any, name: str, experiment: Experiment, mesh: Mesh) -> dict[str, Any]:
    return {
        "experiment": file.name,
        "name": name,
        "file": str(file.path),
        "config": config_to_json(config),
        "method": experiment.stage().method.name,
        "stages": {stage.name: stage.steps for stage in experiment.plan},
        "data": experiment.data.name,
        "fingerprint": experiment.data.fingerprint(),
        "versions": {"jaxgen": jaxgen.__version__, "jax": jax.__version__},
        "device": f"{mesh.devices.flat[0].device_kind} x{mesh.size}",
        "started": _now(),
    }


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def _longer(args: Sequence[str], config: Mapping[str, Any]) -> str:
    """The command that goes on for as many steps again; nothing where the experiment has no such setting."""
    if "steps" not in config:
        return ""
    kept, after_steps = [], False
    for arg in args:
        if not (after_steps or arg in ("--steps", "--fresh") or arg.startswith("--steps=")):
            kept.append(arg)
        after_steps = arg == "--steps"
    return shlex.join(["jaxgen", "train", *kept, "--steps", str(2 * config["steps"])])


def _lag(method: Method, steps: int) -> str:
    """What there is to say of averages after so few steps: how far they still are the first parameters."""
    decays = [net.ema_decay for net in method.nets.values() if net.optimizer and net.ema_decay is not None]
    share = max(decays, default=0.0) ** steps
    if share < 0.1:
        return ""
    return (
        f"Figures and samples are of averaged parameters, which after {steps} steps are still {share:.0%} those before "
        f"the first (ema_decay {max(decays):g}); train longer."
    )


def _farewell(folder: RunFolder, longer: str, data_dir: Path | None, method: Method) -> str:
    run = shlex.quote(re.sub("^-", "./-", str(folder.path)))  # no option
    pictures = "".join(f"{path.name}/, " for path in (folder.samples, folder.drawings) if any(path.glob("*.png")))
    forms = {"text": "samples.txt", "sound": "samples.wav"}
    out = next((forms[field] for field in method.takes if field in forms), "samples.npz")
    out = "grid.png" if any(folder.samples.glob("*.png")) else out
    tensorboard = f", or tensorboard --logdir {run}" if importlib.util.find_spec("tensorboard") else ""
    data = f" --data-dir {shlex.quote(str(data_dir))}" if data_dir else ""
    lines = [
        f"Wrote {folder.path}/",
        f"  config.json, metrics.jsonl, TensorBoard events, checkpoints/, {pictures}eval.json, report.html",
        f"  look      open {shlex.quote(str(folder.report_file))}{tensorboard}",
        f"  longer    {longer}" if longer else "",
        f"  sample    jaxgen sample {run} --count 64 --out {out}" if method.latents else "",
        f"  evaluate  jaxgen eval {run}{data}",
    ]
    return "\n".join(filter(None, lines))
