"""Held-out figures as a table."""

from typing import Any

from rich.table import Table


def figures_table(evaluation: dict[str, Any]) -> Table:
    """The table of an `eval.json`."""
    table = Table(title=f"step {evaluation['step']}, {evaluation['examples']} examples ({evaluation['split']})")
    table.add_column("figure")
    table.add_column("mean", justify="right")
    table.add_column("standard error", justify="right")
    for name, figure in evaluation["figures"].items():
        table.add_row(name, f"{figure['mean']:.4f}", f"{figure['standard_error']:.4f}")
    return table


def samples_table(samples: dict[str, Any]) -> Table:
    """The table of what samples are like, beside training images put through the same."""
    against = f"{samples['samples']} samples against {samples['examples']} images of {samples['split']}"
    training = f"{samples['training_examples']} of {samples['training_split']}"
    also = f"nearest_training_distance, data_copying and any class_kl: {training}"
    table = Table(title=f"{against}\n{also}\nfeatures: {samples['features']}")
    table.add_column("figure")
    table.add_column("samples", justify="right")
    table.add_column("training images", justify="right")
    for name, figure in samples["figures"].items():
        table.add_row(name, _with_error(figure), _with_error(samples["training_images"].get(name, {})))
    return table


def _with_error(figure: dict[str, float]) -> str:
    return " ± ".join(f"{value:.4f}" for value in figure.values())
