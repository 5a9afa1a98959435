"""What a user sees while training."""

from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bar(console: Console) -> Progress:
    """A bar with the field `shown`, a row of metrics as `summary` writes it."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),  # room for losses and speed in 80 columns
        MofNCompleteColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeRemainingColumn(),
        console=console,
    )


def summary(row: Mapping[str, float] | None) -> str:
    """The losses and the speed in a row of `metrics.jsonl`."""
    if row is None:
        return ""
    losses = [f"{name.removesuffix('/loss')} {value:.3f}" for name, value in row.items() if name.endswith("/loss")]
    return "  ".join([*losses, f"{row['images_per_second']:,.0f} examples/s"])
