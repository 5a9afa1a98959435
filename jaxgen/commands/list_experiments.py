"""`jaxgen list`: the experiments of a folder, with method, data, paper and measured figure."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from jaxgen.commands.arguments import parse
from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile


@dataclasses.dataclass(frozen=True)
class Options:
    """The experiments of a folder."""

    folder: tyro.conf.Positional[Path] = Path("experiments")
    """Where the files are."""


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Options, args, "jaxgen list")
    paths = sorted(options.folder.glob("*.py"))
    if not paths:
        raise UserError(f"folder {options.folder} holds no experiments; name the one that does.")
    table = Table(title=f"experiments in {options.folder}")
    table.add_column("experiment", no_wrap=True)  # to be copied
    for header in ("method", "data", "paper", "measured"):
        table.add_column(header)
    for path in paths:
        file = ExperimentFile.load(path)
        experiment = file.build(file.config_type())
        table.add_row(file.name, experiment.method.name, experiment.data.name, experiment.paper, experiment.measured)
    Console().print(table)
