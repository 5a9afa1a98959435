"""`jaxgen compare RUN RUN ...`: what runs differ in, as a table and as a page."""

import datetime
import string
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh
from rich.table import Table

from jaxgen.commands.arguments import parse
from jaxgen.commands.options import Compare
from jaxgen.commands.runs import Run
from jaxgen.commands.tables import runs_table
from jaxgen.console import Console, plain
from jaxgen.errors import UserError
from jaxgen.files import write_atomically
from jaxgen.report.comparison import Recorded, Runs, differing, figures_of
from jaxgen.report.curves import overlaid
from jaxgen.report.grid import has_picture, save_samples
from jaxgen.report.page import Picture, date, embed, render
from jaxgen.training import process


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Compare, args, "jaxgen compare")
    options.check()
    options.apply()
    runs = dict(zip(string.ascii_uppercase, map(Recorded.read, options.runs), strict=False))
    pictures, unseen = _samples(runs, options) if options.count else ({}, {})
    headers, figures = figures_of(runs)
    page = render(
        "compare.html",
        runs=runs,
        settings=differing(runs),
        headers=headers,
        figures=figures,
        curves=overlaid({name: run.rows for name, run in runs.items()}),
        pictures=pictures,
        unseen=unseen,
        written=date(datetime.datetime.now(datetime.UTC).isoformat()),
    )
    write_atomically(options.out, page.encode())
    console = Console()
    console.print(_settings_table(runs), runs_table(runs))
    console.print(f"Wrote {options.out}", markup=False, highlight=False, soft_wrap=True)


def _settings_table(runs: Runs) -> Table:
    table = Table(title="settings that differ")
    table.add_column("run")
    for name in runs:
        table.add_column(name)
    table.add_row("folder", *(plain(str(run.folder)) for run in runs.values()))
    for setting, values in differing(runs).items():
        table.add_row(plain(setting), *map(plain, values))
    return table


def _samples(runs: Runs, options: Compare) -> tuple[dict[str, Picture], dict[str, str]]:
    """A picture of each run's samples; and runs without one, those alike as one name, with why there is none."""
    process.configure()
    process.check_devices()
    mesh, pictures, unseen = options.mesh.make(), {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, run in runs.items():
            try:
                samples = _drawn(run.folder, mesh, options)
                if not has_picture(samples.shape):
                    raise UserError(f"samples of shape {list(samples.shape)} have no picture.")
                save_samples(Path(folder) / name, samples)
                pictures[name] = embed(0, Path(folder) / name, large=True)
            except UserError as error:
                unseen[name] = str(error)
    reasons = dict.fromkeys(unseen.values())
    return pictures, {", ".join(name for name in unseen if unseen[name] == reason): reason for reason in reasons}


def _drawn(folder: Path, mesh: Mesh, options: Compare) -> np.ndarray:
    run = Run.open(folder, mesh)
    batch = None
    if run.method.latents is not None and run.method.latents.conditional:
        batch = jax.tree.map(np.asarray, run.stage.data.test[np.arange(min(options.count, len(run.stage.data.test)))])
    count = options.count if batch is None else len(jax.tree.leaves(batch)[0])
    return np.asarray(run.model.sample(jax.random.key(options.seed), count, batch), np.float32)
