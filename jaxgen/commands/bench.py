"""`jaxgen bench FILE`: compile time, throughput, operations and memory of an experiment's training step."""

import dataclasses
import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from jaxgen.commands.arguments import parse_experiment
from jaxgen.commands.runs import DataOptions, MeshOptions
from jaxgen.training import process
from jaxgen.training.bench import measure

_STEPS = 50  # timed unless --steps says otherwise


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(DataOptions):
    """How the measurement is shown; --steps is how many steps are timed."""

    json: bool = False
    """Print one JSON object instead of a table."""
    steps_per_call: int | None = None
    """Steps compiled into one dispatch (default: the experiment's)."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    file, config, options = parse_experiment(Options, args, "jaxgen bench", steps=_STEPS)
    options.apply()
    process.configure()
    experiment = file.build(config)
    if options.steps_per_call is not None:
        schedule = dataclasses.replace(experiment.schedule, steps_per_call=options.steps_per_call)
        experiment = dataclasses.replace(experiment, schedule=schedule)
    figures = {"experiment": file.name, **measure(experiment.trainer(options.mesh.make()), experiment.schedule.steps)}
    if options.json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value", title=f"{file.name} on {figures['device']}")
    for name, value in figures.items():
        table.add_row(
            name,
            f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value),
        )
    Console().print(table)
