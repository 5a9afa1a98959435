"""`jaxgen eval RUN`: the method's held-out figures, as a table and in `eval.json`."""

from collections.abc import Sequence
from typing import Any

from jaxgen.commands.arguments import parse
from jaxgen.commands.options import Evaluate
from jaxgen.commands.runs import Run
from jaxgen.commands.samples import compare
from jaxgen.commands.tables import evidence_table, figures_table, held_out_figures, keep_figures, samples_table
from jaxgen.console import Console
from jaxgen.quality import bracket
from jaxgen.training import process


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Evaluate, args, "jaxgen eval")
    options.apply()
    process.configure()
    process.check_devices()
    console = Console()
    run = Run.open(options.run, options.mesh.make())
    compared = compare(options, run, console)
    trainer = run.experiment.trainer(run.mesh, run.stage.name)
    bounds = _evidence(options, run)
    evaluation = {**held_out_figures(run.experiment, trainer, run.state, run.folder), **compared, **bounds}
    keep_figures(run.folder, evaluation)
    console.print(figures_table(evaluation))
    if "evidence" in evaluation:
        console.print(evidence_table(evaluation["evidence"]))
    if "samples" in evaluation:
        console.print(samples_table(evaluation["samples"]))
    wrote = f"Wrote {run.folder.eval_file} and {run.folder.report_file}"
    console.print(wrote, markup=False, highlight=False, soft_wrap=True)


def _evidence(options: Evaluate, run: Run) -> dict[str, Any]:
    """What `eval.json` holds as "evidence"; nothing where it is not asked for."""
    found: dict[str, Any] = {}
    of = run.experiment, run.state, run.mesh, run.stage.name
    if options.draws is not None:
        found = bracket.importance_weighted(*of, draws=options.draws)
    if options.ais is not None:
        found["rows"] = found.get("rows", []) + bracket.annealed(*of, temperatures=options.ais)
    if options.refine is not None:
        found["rows"] = found.get("rows", []) + bracket.refined(*of, steps=options.refine)
    return {"evidence": {"data": run.stage.data.name, **found}} if found else {}
