"""`jaxgen eval RUN`: the method's held-out figures, as a table and in `eval.json`."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import tyro

from jaxgen.commands.arguments import parse
from jaxgen.commands.figures import figures_table, held_out_figures, keep_figures, samples_table
from jaxgen.commands.runs import DataOptions, MeshOptions, Run
from jaxgen.commands.samples import FeatureOptions
from jaxgen.console import Console
from jaxgen.training import process


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(DataOptions, FeatureOptions):
    """Held-out figures of a run's newest checkpoint, or of its best, with averaged weights where they are kept."""

    run: tyro.conf.Positional[Path]
    """A folder that `jaxgen train` wrote."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Options, args, "jaxgen eval")
    options.apply()
    process.configure()
    process.check_devices()
    console = Console()
    run = Run.open(options.run, options.mesh.make())
    compared = options.compare(run, console)
    trainer = run.experiment.trainer(run.mesh, run.stage.name)
    evaluation = {**held_out_figures(run.experiment, trainer, run.state, run.folder), **compared}
    keep_figures(run.folder, evaluation)
    console.print(figures_table(evaluation))
    if "samples" in evaluation:
        console.print(samples_table(evaluation["samples"]))
    wrote = f"Wrote {run.folder.eval_file} and {run.folder.report_file}"
    console.print(wrote, markup=False, highlight=False, soft_wrap=True)
