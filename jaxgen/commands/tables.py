"""Held-out figures beside their null controls, and as a table."""

import contextlib
from typing import Any

from rich.table import Table

from jaxgen.console import plain
from jaxgen.core import TrainState
from jaxgen.experiment import Experiment
from jaxgen.report.comparison import Recorded, Runs, figures_of
from jaxgen.report.directions import titled
from jaxgen.report.page import write_report
from jaxgen.training.evaluations import Evaluations
from jaxgen.training.event_file import EventFile
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.trainer import Trainer


def held_out_figures(experiment: Experiment, trainer: Trainer, state: TrainState, folder: RunFolder) -> dict[str, Any]:
    """What `eval.json` holds: means over held-out examples, figures of whole sets, and either's null controls."""
    stage, mesh = trainer.stage, trainer.mesh
    evaluations = Evaluations(trainer, folder)
    found = experiment.evaluate(state, mesh, stage)
    nulls = evaluations.of_examples(experiment.held_out(mesh, stage))
    for name, figure in found["figures"].items():
        figure["nulls"] = {null: values[name] for null, values in nulls.items() if name in values}
    return {**found, "stage": stage, "whole_sets": evaluations.at_the_end(state)}


def keep_figures(folder: RunFolder, evaluation: dict[str, Any]) -> None:
    """Writes a run's figures to `eval.json`, TensorBoard and the report."""
    folder.write_evaluation(evaluation)
    found = Recorded.read(folder.path).figures
    tags = {f"null_controls/{name}/{of}" if of else f"held_out/{name}": x for (name, of), x in found.items()}
    with contextlib.closing(EventFile(folder.path)) as events:
        events.append({"step": evaluation["step"], **tags})
    write_report(folder.path)


def figures_table(evaluation: dict[str, Any]) -> Table:
    """The table of an `eval.json`."""
    table = Table(title=f"step {evaluation['step']}, {evaluation['examples']} examples ({evaluation['split']})")
    table.add_column("figure", no_wrap=True)
    table.add_column("mean", justify="right")
    table.add_column("standard error", justify="right")
    table.add_column("null controls")
    for name, figure in evaluation["figures"].items():
        error = figure["standard_error"]
        table.add_row(titled(name), _shown(figure["mean"]), "" if error is None else f"{error:.4f}", _beside(figure))
    for name, figure in {**evaluation.get("whole_sets", {}), **evaluation.get("drawn", {})}.items():
        table.add_row(titled(name), _shown(figure["value"]), "", _beside(figure))
    return table


def _beside(figure: dict[str, Any]) -> str:
    return ", ".join(f"{null} {_shown(value)}" for null, value in figure["nulls"].items())


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def evidence_table(evidence: dict[str, Any]) -> Table:
    """The table of what bounds log p(x), in nats, and what each figure is a bound of."""
    table = Table(title=f"evidence of {evidence['data']}, nats, no constant left out")
    for heading in ("figure", "mean", "standard error", "what it is", "by"):
        right = heading in ("mean", "standard error")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "figure")
    for row in evidence["rows"]:
        error = "" if row["standard_error"] is None else f"{row['standard_error']:.4f}"
        counts = ", ".join(
            f"{row[n]} {n}" for n in ("draws", "steps", "chains", "temperatures", "examples") if n in row
        )
        table.add_row(row["figure"], _shown(row["mean"]), error, row["is"], counts)
    if "active_units" in evidence:
        units = evidence["active_units"]
        table.add_row(
            "active_units", f"{units['value']} of {units['of']}", "", "posterior means of variance over 0.01", ""
        )
    return table


def samples_table(samples: dict[str, Any]) -> Table:
    """The table of what samples are like, beside training images put through the same."""
    against = f"{samples['samples']} samples against {samples['examples']} images of {samples['split']}"
    training = f"{samples['training_examples']} of {samples['training_split']}"
    also = f"nearest_training_distance, data_copying and any class_kl: {training}"
    table = Table(title=f"{against}\n{also}\nfeatures: {samples['features']}")
    table.add_column("figure", no_wrap=True)
    table.add_column("samples", justify="right")
    table.add_column("untrained", justify="right")
    table.add_column("training images", justify="right")
    for name, figure in samples["figures"].items():
        beside = (_with_error(samples[of].get(name, {})) for of in ("untrained", "training_images"))
        table.add_row(titled(name), _with_error(figure), *beside)
    return table


def runs_table(runs: Runs) -> Table:
    """The figures of several runs, with their spread where only the seed differs."""
    headers, rows = figures_of(runs)
    table = Table(title="figures of the runs, and of null controls below them")
    for header in headers:
        first = header == headers[0]
        table.add_column(plain(header), justify="left" if first else "right", no_wrap=first)
    for row in rows:
        table.add_row(*map(plain, row))
    return table


def _with_error(figure: dict[str, float]) -> str:
    return " ± ".join(f"{value:.4f}" for value in figure.values())
