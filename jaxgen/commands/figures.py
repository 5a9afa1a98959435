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
