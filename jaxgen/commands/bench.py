"""`jaxgen bench NAME`: compile time, throughput, operations and memory of an experiment's training step."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from rich.table import Table

from jaxgen.commands.arguments import numbers, parse_experiment
from jaxgen.commands.options import STEPS, Bench
from jaxgen.console import Console
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.files import read_regular
from jaxgen.training import process
from jaxgen.training.bench import compare, measure
from jaxgen.training.schedule import paced
from jaxgen.training.sharding import are_there
from jaxgen.training.trainer import Trainer


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    file, config, options = parse_experiment(Bench, args, "jaxgen bench", steps=STEPS)
    options.apply()
    sweep = numbers("sweep", options.sweep)
    other = _read(options.against, file.name) if options.against else None
    process.configure()
    process.check_devices()
    with paced(steps_per_call=options.steps_per_call):
        experiment = file.build(config)
    trainers = [_trainer(experiment, count, options) for count in sweep or [len(jax.devices())]]
    if options.profile:
        _make(options.profile)
    rows = []
    for trainer in trainers:
        figures = {"experiment": file.name, **measure(trainer, getattr(config, "steps", STEPS), options.profile)}
        rows.append(figures | ({"against": compare(figures, other)} if other else {}))
    if options.json:
        for figures in rows:
            print(json.dumps(figures))
    elif sweep:
        Console().print(_sweep_table(rows))
    else:
        Console().print(_table(rows[0]))


def _trainer(experiment: Experiment, count: int, options: Bench) -> Trainer:
    """The experiment on the first `count` devices, whose batch they can share: refused before anything is measured."""
    devices = jax.devices()
    if not 1 <= count <= len(devices):
        raise UserError(f"sweep holds {count} but there {are_there(devices)}; choose from 1 to {len(devices)}.")
    trainer = experiment.trainer(options.mesh.make(devices[:count]), options.stage)
    trainer.batches(0).close()
    return trainer


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"profile is {folder}, which cannot be a folder ({error.strerror}); name another.") from error


def _read(path: Path, experiment: str) -> dict[str, Any]:
    try:
        other = json.loads(read_regular(path))
        if not all(rate > 0 for rate in [*map(float, other["steps_per_second_rounds"])] or [0]):
            raise ValueError
    except OSError as error:
        raise UserError(f"against is {path}, which cannot be read ({error.strerror}); name another file.") from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(
            f"against is {path}, which is not what `jaxgen bench --json` prints of one measurement; name such a file."
        ) from error
    if other.get("experiment") != experiment:
        raise UserError(f"against is {path}, of {other.get('experiment')}; name a file of {experiment}.")
    return other


def _table(figures: dict[str, Any]) -> Table:
    table = Table("figure", "value", title=f"{figures['experiment']} on {figures['device']}")
    for name, value in figures.items():
        if name == "against":
            table.add_row("times as fast as the other", _compared(value))
        else:
            table.add_row(name, _show(value))
    return table


def _sweep_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=f"{rows[0]['experiment']}: the same batch on more devices")
    for header in ("device", "steps/s", "lowest - highest", "to the first", "images/s", "memory of a device"):
        table.add_column(header, justify="left" if header == "device" else "right")
    if "against" in rows[0]:
        table.add_column("times as fast as the other", justify="right")
    for row in rows:
        table.add_row(
            row["device"],
            f"{row['steps_per_second']:.4g}",
            f"{row['steps_per_second_min']:.4g} - {row['steps_per_second_max']:.4g}",
            f"{row['steps_per_second'] / rows[0]['steps_per_second']:.2f}",
            f"{row['images_per_second']:,.0f}",
            _show(row["step_memory_bytes"]),
            *([_compared(row["against"])] if "against" in row else []),
        )
    return table


def _compared(against: dict[str, Any]) -> str:
    return f"{against['ratio']:.3f}, {'outside' if against['outside_spread'] else 'within'} the spread"


def _show(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_show, value))
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
