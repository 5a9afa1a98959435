"""What the engine costs: dispatch, compilation, memory, fake devices, checkpoints, input; `--help` says how to ask.

PyTorch has no part here; `step_throughput.py` races it. All runs on this machine's CPU; where several devices are
measured, JAX is told that it is four, in a process of its own.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import tyro
from ours import CONTENDERS
from rich.console import Console
from rich.progress import track
from rich.table import Table
from step_throughput import hardware

from jaxgen.data.pipeline import batches
from jaxgen.data.source import Memory, Source
from jaxgen.training import process
from jaxgen.training.bench import measure
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.loop import Trainer
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import batch_sharding, make_mesh

SMALL = ("toy_gan", "flow_2d", "mlp_vae")  # networks of whose steps dispatch may be a large part
DEVICES = 4
MEGABYTE = 1e6


def trainer(name: str, steps_per_call: int = 1, devices: int = 1) -> Trainer:
    """A network of the race against PyTorch, always on the same batch, which is on the devices already."""
    method, batch, _ = CONTENDERS[name]()
    mesh = make_mesh(devices=jax.devices()[:devices])
    stacked = jax.tree.map(lambda x: np.broadcast_to(x, (steps_per_call, 1, *x.shape)), batch)
    placed = jax.device_put(stacked, batch_sharding(mesh, leading_axes=2))

    def again(start_step: int) -> Iterator[Any]:
        yield from itertools.repeat(placed)

    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), batch)
    schedule = Schedule(*[steps_per_call] * 4, steps_per_call=steps_per_call)
    return Trainer(method, schedule, again, shapes, 0, mesh)  # pyright: ignore[reportArgumentType]


def dispatch(steps: int) -> list[dict[str, Any]]:
    """Steps/s of small networks with 1, 10 and 100 steps in a call."""
    cases = list(itertools.product(SMALL, (1, 10, 100)))
    return [
        {"network": name, "steps_per_call": count, **measure(trainer(name, count), steps)}
        for name, count in track(cases, "dispatch")
    ]


def in_a_process_of_its_own(steps: int) -> list[dict[str, Any]]:
    """What `devices` measures, with threads enough for four devices: with one a core, their collectives lock up."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "devices.json"
        command = [sys.executable, __file__, "--part", "devices", "--steps", str(steps), "--json", str(results)]
        subprocess.run(command, env={**os.environ, "NPROC": "16"}, check=True)
        return json.loads(results.read_text())["devices"]


def devices(steps: int) -> list[dict[str, Any]]:
    """Steps/s of the same batch on one device and on four that share the same cores."""
    cases = list(itertools.product(("mlp_vae", "dcgan"), (1, DEVICES)))
    return [
        {"network": name, **measure(trainer(name, devices=count), steps // 20 if name == "dcgan" else steps)}
        for name, count in track(cases, "devices")
    ]


def checkpoints(repeats: int) -> list[dict[str, Any]]:
    """Seconds that saving keeps training waiting, until the state is on disk, and of restoring it."""
    rows = []
    for name in track(("mlp_vae", "dcgan", "glow"), "checkpoints"):
        one = trainer(name)
        state = one.init()
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        waits, saves, restores = [], [], []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as folder, contextlib.closing(Checkpoints(Path(folder))) as saved:
                start = time.perf_counter()
                saved.save(state, one.stage)
                waits.append(time.perf_counter() - start)
                saved.wait()
                saves.append(time.perf_counter() - start)
                restores.append(seconds(lambda saved=saved, one=one: saved.restore(lambda _: one.abstract_state())))
        rows.append(
            {
                "network": name,
                "bytes": size,
                "wait": statistics.median(waits),
                "save": statistics.median(saves),
                "restore": statistics.median(restores),
            }
        )
    return rows


def pipeline(calls: int) -> list[dict[str, Any]]:
    """Images/s from arrays in memory, shuffled, to a device."""
    rows = []
    for shape, count in (((28, 28, 1), 60_000), ((32, 32, 3), 50_000), ((256, 256, 3), 500)):
        images = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
        source = Source("random", "train", lambda x=images: {"image": x[:1]}, lambda x=images: Memory({"image": x}))
        sharding = batch_sharding(make_mesh(devices=jax.devices()[:1]))
        with contextlib.closing(batches(source, batch_size=256, seed=0, sharding=sharding)) as stream:
            jax.block_until_ready(next(stream))
            elapsed = seconds(lambda stream=stream: [jax.block_until_ready(next(stream)) for _ in range(calls)])
        rows.append({"image": "x".join(map(str, shape)), "images_per_second": 256 * calls / elapsed})
    return rows


def seconds(function: Callable[[], Any]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def table(title: str, rows: list[dict[str, Any]], columns: dict[str, Callable[[dict[str, Any]], str]]) -> Table:
    """Header -> what it shows of a row."""
    shown = Table(title=title)
    for number, header in enumerate(columns):
        shown.add_column(header, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*(show(row) for show in columns.values()))
    return shown


def rate(row: dict[str, Any]) -> str:
    """Steps/s with their spread."""
    low, high = row["steps_per_second_min"], row["steps_per_second_max"]
    return f"{row['steps_per_second']:.4g} ({low:.4g}-{high:.4g})"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Measures what the engine costs beside the arithmetic.

    Attributes:
      steps: to time of a small network.
      repeats: checkpoints to write of a state.
      part: everything, or devices alone.
      json: file for every number measured, in seconds and bytes.
    """

    steps: int = 1000
    repeats: int = 3
    part: Literal["all", "devices"] = "all"
    json: Path | None = None


def main() -> None:
    arguments = tyro.cli(Arguments)
    jax.config.update("jax_platforms", "cpu")
    process.configure()
    if arguments.part == "devices":
        jax.config.update("jax_num_cpu_devices", DEVICES)
        assert arguments.json is not None  # for the process that asks
        arguments.json.write_text(json.dumps({"devices": devices(arguments.steps)}))
        return
    results = {
        "dispatch": dispatch(arguments.steps),
        "devices": in_a_process_of_its_own(arguments.steps),
        "checkpoints": checkpoints(arguments.repeats),
        "pipeline": pipeline(50),
    }
    network = {"network": lambda row: row["network"]}
    costs = {
        "compile s, cold": lambda row: f"{row['compile_cold_seconds']:.1f}",
        "warm": lambda row: f"{row['compile_warm_seconds']:.1f}",
        "step's memory MB": lambda row: f"{row['step_memory_bytes'] / MEGABYTE:.1f}",
    }
    Console().print(
        table(
            "Small networks, by steps in a call",
            results["dispatch"],
            {**network, "steps a call": lambda row: str(row["steps_per_call"]), "steps/s (spread)": rate, **costs},
        ),
        table(
            "The same batch on one device and on four of the same cores",
            results["devices"],
            {**network, "devices": lambda row: str(row["devices"]), "steps/s (spread)": rate, **costs},
        ),
        table(
            "Checkpoints",
            results["checkpoints"],
            {
                **network,
                "state MB": lambda row: f"{row['bytes'] / MEGABYTE:.1f}",
                "training waits s": lambda row: f"{row['wait']:.3f}",
                "on disk s": lambda row: f"{row['save']:.3f}",
                "restored s": lambda row: f"{row['restore']:.3f}",
            },
        ),
        table(
            "Input alone, batch 256",
            results["pipeline"],
            {"image": lambda row: row["image"], "images/s": lambda row: f"{row['images_per_second']:,.0f}"},
        ),
        hardware("jax", "jaxlib"),
    )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"hardware": hardware("jax", "jaxlib"), **results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
