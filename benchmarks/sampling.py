"""Sampling: jaxgen's three ways, which draw the same, in turns with PyTorch that keeps the same, eager and compiled.

`python benchmarks/sampling.py --run RUN`, where RUN is of `jaxgen train gated_pixelcnn`, as the number of Jacobi's
passes depends on what was learned. `taskset -c 0` before it measures processor time (`alternate.py`).
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import tyro
from alternate import contend
from step_throughput import HERE, PACKAGES, environment, hardware

Name = Literal["gated_pixelcnn", "transformer", "wavenet"]
NAMES: tuple[Name, ...] = ("gated_pixelcnn", "transformer", "wavenet")


def commands(name: Name, run: Path | None) -> dict[str, tuple[str, ...]]:
    """Of the contenders."""
    ours, theirs = ((sys.executable, str(HERE / f"sampling_{side}.py"), name) for side in ("ours", "theirs"))
    jacobi = {"jacobi": (*ours, "jacobi", str(run))} if run and name == "gated_pixelcnn" else {}
    modes = {f"PyTorch, {mode}": (*theirs, mode) for mode in ("eager", "compile")}
    return {"cached": (*ours, "cached"), "naive": (*ours, "naive"), **jacobi, **modes}


def main(
    names: Annotated[tuple[Name, ...], tyro.conf.Positional] = (),
    /,
    run: Path | None = None,
    rounds: int = 9,
    out: Path | None = None,
) -> None:
    """Times draws.

    Args:
      names: networks; all of them if none is named.
      run: of a trained Gated PixelCNN at the digits' preset; without one Jacobi's iteration is not timed.
      rounds: how often the contenders take turns, at least 2.
      out: a file for every number, in seconds a draw.
    """
    record = {"hardware": hardware(*PACKAGES), "networks": {}}
    print("| network | contender | ms a draw | times jaxgen's cached |\n|---|---|---|---|")
    for name in names or NAMES:
        with tempfile.TemporaryDirectory() as caches:
            timing = contend(commands(name, run), environment(caches), rounds, steps=1)
        record["networks"][name] = dataclasses.asdict(timing)
        for contender in timing.seconds:
            low, middle, high = timing.ratio("cached", contender)
            ratio = f"{middle:.2f} ({low:.2f}-{high:.2f})"
            print(f"| `{name}` | {contender} | {1e3 * timing.median(contender):.1f} | {ratio} |", flush=True)
    if out is not None:
        out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
