"""Kills a real training again and again, at random moments, and compares what it ends in with a run left in peace.

`python benchmarks/soak.py --kills 50` sends SIGKILL. `--faults` sends SIGTERM too, fills the disk (a small tmpfs, where
one may be mounted), and truncates or flips a bit of the newest checkpoint between two starts. It passes if every array
of the last checkpoint and every row of metrics are the same, bit for bit.
"""

import collections
import contextlib
import dataclasses
import datetime
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from jaxgen.errors import Preempted, UserError

ROOT = Path(__file__).parent.parent
STEPS, EVERY = 6000, 100
COMMAND = ("train", "vae", "--hidden", "16", "--steps", str(STEPS))
START_SECONDS = 4.0  # a kill in this time hits imports, compilation or the reading of a checkpoint
TRAIN_SECONDS = 1.5  # a kill in this time after the first new checkpoint hits steps and saves
LIMIT_SECONDS = 120.0  # for a start to write its first checkpoint, or to end
DISK = "16m"
FULL, FULL_SECONDS = "no checkpoint of step", 15.0  # what a save says, and how long one is waited for


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Kills a training at random moments until it is done.

    Attributes:
      kills: how often, over as many runs as it takes.
      faults: also damage checkpoints, fill the disk and send SIGTERM.
      seed: of the moments and the faults.
    """

    kills: int = 50
    faults: bool = False
    seed: int = 0


class Run:
    """A run in a folder, started as often as it takes."""

    def __init__(self, folder: Path, log: Path, cache: Path):
        self.folder = folder
        self.log = log
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_PLATFORMS": "cpu",
        }

    def start(self) -> subprocess.Popen:
        """Runs the command; what it prints goes to the end of the log."""
        command = [sys.executable, "-m", "jaxgen", *COMMAND, "--checkpoint-every", str(EVERY), "--run-dir", self.folder]
        with self.log.open("a") as log:
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=subprocess.STDOUT)

    def committed(self) -> list[int]:
        """The steps of the checkpoints."""
        return sorted(int(path.name) for path in (self.folder / "checkpoints").glob("*") if path.name.isdigit())

    def arrays(self) -> dict[str, bytes]:
        """The last checkpoint's."""
        state = ocp.StandardCheckpointer().restore(self.folder / "checkpoints" / str(STEPS) / "state")
        leaves = jax.tree_util.tree_leaves_with_path(state)
        return {jax.tree_util.keystr(path): np.asarray(leaf).tobytes() for path, leaf in leaves}

    def rows(self) -> list[dict[str, float]]:
        """The metrics, but for the speed."""
        rows = [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]
        return [{name: value for name, value in row.items() if name != "images_per_second"} for row in rows]


def interrupt(run: Run, rng: random.Random, faults: bool, counts: collections.Counter) -> bool:
    """Starts the run and stops it at a random moment; returns whether it was done before that."""
    before = run.committed()
    process = run.start()
    starting = rng.random() < 0.3
    wait = rng.uniform(0, START_SECONDS if starting else TRAIN_SECONDS)
    if not starting:
        deadline = time.monotonic() + LIMIT_SECONDS
        while process.poll() is None and run.committed()[-1:] in ([], before[-1:]):
            if time.monotonic() > deadline:
                process.kill()
                raise TimeoutError(f"no checkpoint in {LIMIT_SECONDS} s; see {run.log}")
            time.sleep(0.002)
    kinds = ["SIGKILL", "SIGTERM", "full disk"] if os.path.ismount(run.folder.parent) else ["SIGKILL", "SIGTERM"]
    kind = rng.choice(kinds) if faults else "SIGKILL"
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait)
    filler = run.folder.parent / "filler"
    if kind == "full disk":
        keep_full(filler, run, process)
    stopped = process.poll() is None
    process.send_signal(signal.SIGTERM if kind == "SIGTERM" else signal.SIGKILL)
    code = process.wait(LIMIT_SECONDS)
    if not stopped and code == UserError.exit_code and kind == "full disk":
        counts["of them ended by itself, with code 2"] += 1
        stopped = True
    if not stopped and code:
        raise RuntimeError(f"the run ended with code {code}; see {run.log}")
    if stopped:
        if kind == "SIGTERM" and code not in (Preempted.exit_code, -signal.SIGTERM):  # the latter before Python was up
            raise RuntimeError(f"SIGTERM ended the run with code {code}; see {run.log}")
        counts[kind] += 1
        counts["in the middle of a save"] += bool(list((run.folder / "checkpoints").glob("*orbax-checkpoint-tmp*")))
        counts["before a new checkpoint"] += run.committed() == before
    filler.unlink(missing_ok=True)
    return not stopped


def keep_full(filler: Path, run: Run, process: subprocess.Popen) -> None:
    """Fills the disk, again and again since a new checkpoint makes room by replacing another, until a save says so."""
    before, end = run.log.read_text().count(FULL), time.monotonic() + FULL_SECONDS
    with filler.open("ab", buffering=0) as file:
        while process.poll() is None and run.log.read_text().count(FULL) == before and time.monotonic() < end:
            with contextlib.suppress(OSError):  # the run took some of the room first
                file.write(bytes(shutil.disk_usage(filler.parent).free))
            time.sleep(0.02)


def damage(run: Run, rng: random.Random, counts: collections.Counter) -> None:
    """Truncates or flips a bit of a file of the newest checkpoint, unless it is the only one."""
    kind = rng.choice(["none", "truncation", "bit flip"])
    steps = run.committed()
    if kind == "none" or len(steps) < 2:
        return
    folder = run.folder / "checkpoints" / str(steps[-1])
    path = rng.choice(sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size))
    content = bytearray(path.read_bytes())
    position = rng.randrange(len(content))
    if kind == "truncation":
        del content[position:]
    else:
        content[position] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    counts[kind] += 1


@contextlib.contextmanager
def disk(wanted: bool) -> Iterator[Path]:
    """A folder, if wanted on a small disk of its own."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = (
            wanted and not subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder]).returncode
        )
        try:
            yield Path(folder)
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", folder], check=True)


def soak(arguments: Arguments) -> dict[str, int]:
    """Runs until there were as many kills as asked for and the last run is done; returns what happened."""
    rng, counts = random.Random(arguments.seed), collections.Counter()
    with tempfile.TemporaryDirectory() as scratch, disk(arguments.faults) as folder:
        cache = Path(scratch) / "cache"
        peace = Run(Path(scratch) / "peace", Path(scratch) / "peace.log", cache)
        if peace.start().wait():
            raise RuntimeError(f"the undisturbed run failed:\n{peace.log.read_text()}")
        expected, expected_rows = peace.arrays(), peace.rows()
        run = Run(folder / "run", Path(scratch) / "run.log", cache)
        for _ in track(range(arguments.kills), "kills", transient=True):
            while interrupt(run, rng, arguments.faults, counts):
                compare(run, expected, expected_rows, counts)
                shutil.rmtree(run.folder)
            if arguments.faults:
                damage(run, rng, counts)
        if run.start().wait():
            raise RuntimeError(f"the last start failed:\n{run.log.read_text()}")
        compare(run, expected, expected_rows, counts)
        log = run.log.read_text()
    counts["starts that resumed"] = log.count("Resuming at step")
    counts["damaged checkpoints passed over"] = log.count("is damaged (")
    counts["saves that found the disk full"] = log.count(FULL)
    counts["tracebacks"] = log.count("Traceback")
    return counts


def compare(run: Run, expected: dict[str, bytes], rows: list[dict[str, float]], counts: collections.Counter) -> None:
    """Counts a finished run and what in it is not as expected."""
    arrays = run.arrays()
    counts["runs done"] += 1
    counts["bytes compared"] += sum(map(len, expected.values()))
    for name in expected.keys() | arrays.keys():
        mine, other = arrays.get(name, b""), expected.get(name, b"")
        counts["bytes that differ"] += sum(a != b for a, b in itertools.zip_longest(mine, other))
    pairs = itertools.zip_longest(run.rows(), rows)
    counts["rows that differ"] += sum(mine != other for mine, other in pairs)


def main() -> None:
    arguments = tyro.cli(Arguments)
    start = time.monotonic()
    counts = soak(arguments)
    table = Table(title=f"soak, {datetime.date.today()}, {os.cpu_count()} cores, {time.monotonic() - start:.0f} s")
    table.add_column("what")
    table.add_column("how often", justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    Console().print(table)
    sys.exit(bool(counts["bytes that differ"] or counts["rows that differ"] or counts["tracebacks"]))


if __name__ == "__main__":
    main()
