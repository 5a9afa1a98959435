"""Depth against memory: Glow's training step at K = 8 to 64, with every `--memory`, against PyTorch's autodiff.

`python benchmarks/flow_memory.py` prints the README's table. Contenders of one depth take turns (`alternate.py`); what
they compile is in a cache before, since compiling holds more memory than a small step.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import tyro
from alternate import Timing, contend
from step_throughput import MEGABYTE, PACKAGES, environment, hardware

HERE = Path(__file__).parent
MEMORIES = ("plain", "remat", "reversible")
PEER = "PyTorch eager"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Times the step of a Glow of 2 levels, width 128, on 32x32x3, batch 16, and takes its process's peak memory.

    Attributes:
      depths: steps of flow in a level, of 8, 16, 32 and 64; one race each.
      rounds: how often the contenders take turns, at least 2.
    """

    depths: tuple[int, ...] = (8, 16, 32, 64)
    rounds: int = 5


def measure(depth: int, rounds: int) -> Timing:
    """Runs the contenders of one depth."""
    commands = {memory: (sys.executable, str(HERE / "ours.py"), f"glow_{depth}_{memory}") for memory in MEMORIES} | {
        PEER: (sys.executable, str(HERE / "theirs.py"), f"glow_{depth}", "eager")
    }
    with tempfile.TemporaryDirectory() as caches:
        env = environment(caches)
        for memory in MEMORIES:
            contend({memory: commands[memory]}, env, rounds=0, steps=1)
        return contend(commands, env, rounds, steps=max(1, 16 // depth))


def main() -> None:
    arguments = tyro.cli(Arguments)
    print("| K | memory | ms/step | times PyTorch's speed | peak MB |")
    print("|---|---|---|---|---|")
    for depth in arguments.depths:
        timing = measure(depth, arguments.rounds)
        for name, peak in timing.peak_memory.items():
            low, middle, high = timing.ratio(name, PEER)
            speed = f"{1e3 * timing.median(name):.0f} | {middle:.2f} ({low:.2f}-{high:.2f})"
            print(f"| {depth} | {name} | {speed} | {peak / MEGABYTE:.0f} |", flush=True)
    print(hardware(*PACKAGES))


if __name__ == "__main__":
    main()
