"""Training steps of jaxgen and of PyTorch, eager and compiled, on the same networks: `--help` says how to ask.

Each contender is a process of its own and they take turns (`alternate.py`), so that a machine whose speed changes by
the second still gives a ratio; on one core (`taskset -c 0`) a step's time is the processor's. Everything runs twice:
alone with empty compilation caches, then against the others with the caches that left behind.
"""

import dataclasses
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import tyro
from alternate import Timing, contend
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
Name = Literal[
    "dcgan",
    "mlp_vae",
    "glow",
    "wgan_gp",
    "sngan_resnet",
    "flow_2d",
    "flow_2d_wide",
    "toy_gan",
    "transformer",
    "gated_pixelcnn",
    "wavenet",
    "seqgan",
    "seqgan_at_once",
    "gail",
]
CONTENDERS = ("jaxgen", "eager", "compile")
PACKAGES = ("jax", "jaxlib", "torch")
MEGABYTE = 1e6


@dataclasses.dataclass(frozen=True)
class Case:
    """A network.

    Attributes:
      steps: to time in a round.
      floor: of steps a second against the faster PyTorch: below it something has broken.
    """

    steps: int
    floor: float


CASES: dict[Name, Case] = {
    "dcgan": Case(steps=3, floor=1.0),
    "mlp_vae": Case(steps=20, floor=1.2),
    "glow": Case(steps=3, floor=1.0),
    "wgan_gp": Case(steps=2, floor=1.0),
    "sngan_resnet": Case(steps=1, floor=1.0),
    "flow_2d": Case(steps=200, floor=5.0),
    "flow_2d_wide": Case(steps=200, floor=5.0),
    "toy_gan": Case(steps=200, floor=5.0),
    "transformer": Case(steps=10, floor=1.3),
    "gated_pixelcnn": Case(steps=10, floor=1.3),
    "wavenet": Case(steps=5, floor=1.3),
    "seqgan": Case(steps=2, floor=5.0),
    "seqgan_at_once": Case(steps=2, floor=1.0),
    "gail": Case(steps=2, floor=10.0),
}


@dataclasses.dataclass(frozen=True)
class Result:
    """The first step's seconds with empty caches, and what came of the contest."""

    cold: dict[str, float]
    timing: Timing


def environment(caches: str) -> dict[str, str]:
    """Of a contender that compiles into folder `caches`."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH")))),
        "TORCHINDUCTOR_CACHE_DIR": f"{caches}/torch",
        "JAX_COMPILATION_CACHE_DIR": f"{caches}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # as `jaxgen train` has it
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def measure(name: Name, rounds: int) -> Result:
    """Runs one network's contenders."""
    theirs = (sys.executable, str(HERE / "theirs.py"), name)
    commands = {
        "jaxgen": (sys.executable, str(HERE / "ours.py"), name),
        "eager": (*theirs, "eager"),
        "compile": (*theirs, "compile"),
    }
    steps = CASES[name].steps
    with tempfile.TemporaryDirectory() as caches:
        env, cold = environment(caches), {}
        for contender, command in commands.items():
            cold |= contend({contender: command}, env, rounds=0, steps=steps).first
        return Result(cold, contend(commands, env, rounds, steps))


def hardware(*packages: str) -> str:
    """Where and with what the numbers were measured."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    cpu = models[0] if models else platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {cpu}; Python {platform.python_version()}, {versions}; {datetime.date.today()}"


def show(results: dict[Name, Result], console: Console) -> None:
    """Prints the tables of speed and of cost."""
    speed = Table(title="Times PyTorch's speed, float32: median (quartiles)")
    for header in ("network", "ms/step", "to eager", "to compile", "ratio", "floor"):
        speed.add_column(header, justify="left" if header == "network" else "right")
    cost = Table(title="First step, which compiles, and peak memory")
    for header in ("network", "contender", "cold s", "warm s", "memory MB"):
        cost.add_column(header, justify="left" if header in ("network", "contender") else "right")
    for name, result in results.items():
        timing, floor = result.timing, CASES[name].floor
        ratios = [timing.ratio("jaxgen", other) for other in ("eager", "compile")]
        decisive = min(middle for _, middle, _ in ratios)  # the faster PyTorch counts
        speed.add_row(
            name,
            f"{1e3 * timing.median('jaxgen'):.2f}",
            *(f"{middle:.2f} ({low:.2f}-{high:.2f})" for low, middle, high in ratios),
            f"[{'green' if decisive >= floor else 'red'}]{decisive:.2f}",
            f"{floor:.1f}",
        )
        for contender in CONTENDERS:
            seconds = (f"{first[contender]:.1f}" for first in (result.cold, timing.first))
            cost.add_row(name, contender, *seconds, f"{timing.peak_memory[contender] / MEGABYTE:.0f}")
        cost.add_section()
    console.print(speed, cost, hardware(*PACKAGES))


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Times training steps of jaxgen against PyTorch's.

    Attributes:
      names: networks; all of them if none is named.
      rounds: how often the contenders take turns, at least 2.
      json: file for every number measured, in seconds and bytes.
    """

    names: Annotated[tuple[Name, ...], tyro.conf.Positional] = ()
    rounds: int = 15
    json: Path | None = None


def main() -> None:
    arguments = tyro.cli(Arguments)
    if arguments.rounds < 2:
        sys.exit(fail(f"rounds is {arguments.rounds}; the spread needs at least 2."))
    if importlib.util.find_spec("torch") is None:
        sys.exit(fail('the contender, PyTorch, is not installed; pip install -e ".[bench]" brings it.'))
    console = Console()
    results = {}
    for name in arguments.names or CASES:
        with console.status(f"{name}: {arguments.rounds} rounds"):
            results[name] = measure(name, arguments.rounds)
    show(results, console)
    if arguments.json is not None:
        record = {
            "hardware": hardware(*PACKAGES),
            **{name: dataclasses.asdict(result) for name, result in results.items()},
        }
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")


def fail(sentence: str) -> int:
    """Says what is wrong and returns the exit code of bad input."""
    print(f"step_throughput: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
