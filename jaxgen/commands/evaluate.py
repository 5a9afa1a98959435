"""`jaxgen eval RUN`: the method's held-out figures, as a table and in `eval.json`."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from jaxgen.commands.arguments import parse
from jaxgen.commands.figures import evidence_table, figures_table, held_out_figures, keep_figures, samples_table
from jaxgen.commands.runs import DataOptions, MeshOptions, Run
from jaxgen.commands.samples import FeatureOptions
from jaxgen.console import Console
from jaxgen.quality import bracket
from jaxgen.training import process


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(DataOptions, FeatureOptions):
    """Held-out figures of a run's newest checkpoint, or of its best, with averaged weights where they are kept."""

    run: tyro.conf.Positional[Path]
    """A folder that `jaxgen train` wrote."""
    draws: int | None = None
    """Also bound log p(x) of latent-variable models by that many draws an example, e.g. 5000 (default: do not)."""
    ais: int | None = None
    """And by annealed chains of that many temperatures, e.g. 1000, which bound the model's own data from both sides."""
    refine: int | None = None
    """And by a Gaussian q(z|x) that so many steps refine for each of some examples, e.g. 500: the amortization gap."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)

    def bracket(self, run: Run) -> dict[str, Any]:
        """What `eval.json` holds as "evidence"; nothing where it is not asked for."""
        found: dict[str, Any] = {}
        of = run.experiment, run.state, run.mesh, run.stage.name
        if self.draws is not None:
            found = bracket.importance_weighted(*of, draws=self.draws)
        if self.ais is not None:
            found["rows"] = found.get("rows", []) + bracket.annealed(*of, temperatures=self.ais)
        if self.refine is not None:
            found["rows"] = found.get("rows", []) + bracket.refined(*of, steps=self.refine)
        return {"evidence": {"data": run.stage.data.name, **found}} if found else {}


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
    bounds = options.bracket(run)
    evaluation = {**held_out_figures(run.experiment, trainer, run.state, run.folder), **compared, **bounds}
    keep_figures(run.folder, evaluation)
    console.print(figures_table(evaluation))
    if "evidence" in evaluation:
        console.print(evidence_table(evaluation["evidence"]))
    if "samples" in evaluation:
        console.print(samples_table(evaluation["samples"]))
    wrote = f"Wrote {run.folder.eval_file} and {run.folder.report_file}"
    console.print(wrote, markup=False, highlight=False, soft_wrap=True)
