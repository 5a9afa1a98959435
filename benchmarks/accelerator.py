"""What the accelerator of this machine makes of jaxgen's training steps, in turns with PyTorch's.

`python benchmarks/accelerator.py [--minutes 7] [--out FILE]` needs jax, flax and optax, and PyTorch to compare. Rows
(`rows.py`) come most important first; each is printed when it is done, and the file holds all that is done so far, so
that it may be cut off at any moment. Every contender is a process of its own; those of one wave compile at the same
time, as that takes far longer than timing them, and are timed in turns while nothing else runs. Of a second run with
the same `--cache` most is compiled already.
"""

import argparse
import contextlib
import dataclasses
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import queue
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from on_device import MARK
from rows import DETERMINISTIC, ROWS, Row

HERE = Path(__file__).parent
ROUNDS, ROUND_SECONDS = 5, 0.4
TIMING = 8.0  # seconds that a contender is likely to take when its turn comes, its profile included
LATE = 30.0  # seconds that `torch.compile` has when all others of its wave are ready
PACKAGES = ("jax", "jaxlib", "flax", "optax", "torch")


class Failed(Exception):
    """A contender could not do what it was asked; says why."""


class Child:
    """A process that answers questions (`on_device.serve`); its wave does not wait long for one that may be `late`."""

    def __init__(self, log: Path, *command: str, late: bool = False):
        self.log, self.late, self.fate = log, late, ""
        self.answers: queue.Queue[Any] = queue.Queue()
        paths = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
        share = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TORCHINDUCTOR_COMPILE_THREADS": "4"}  # of one device
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, **share, "PYTHONPATH": paths},
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(MARK):
                self.answers.put(json.loads(line.removeprefix(MARK)))
        self.answers.put(None)

    def ask(self, question: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has died, which `answer` says
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()

    def answer(self, seconds: float) -> Any:
        """What it says to the oldest question, within so many seconds."""
        try:
            answer = self.answers.get(timeout=max(seconds, 0.1))
        except queue.Empty:
            raise Failed(f"not ready after {seconds:.0f} s") from None
        if answer is None:
            self.answers.put(None)
            raise Failed(
                self.fate or f"ended: {(self.log.read_text().strip().splitlines() or ['without a word'])[-1][:300]}"
            )
        return answer

    def value(self, seconds: float) -> Any:
        """The value of such an answer."""
        answer = self.answer(seconds)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["value"]

    def end(self, why: str = "") -> None:
        self.fate = why
        self.process.kill()
        self.process.wait()


@dataclasses.dataclass
class Results:
    """All that has been measured, written to a file whenever something is added."""

    out: Path | None
    values: dict[str, Any]

    def add(self, kind: str, value: Any) -> None:
        self.values.setdefault(kind, []).append(value)
        self.write()

    def write(self) -> None:
        if self.out is not None:
            fresh = self.out.with_suffix(".part")
            fresh.write_text(json.dumps(self.values, indent=1) + "\n")
            fresh.replace(self.out)


def settings_of(row: Row, toy: bool) -> dict[str, Any]:
    """What builds the row's network."""
    return {"batch": row.batch, **row.settings, **(row.toy if toy else {})}


def contenders(row: Row, settings: dict[str, Any], folder: Path) -> dict[str, Child]:
    """The row's processes, asked to get ready."""
    ours = {"jaxgen" if v == "plain" else f"jaxgen {v}": ("on_device_ours.py", v) for v in row.variants}
    torch = importlib.util.find_spec("torch") is not None
    theirs = {f"PyTorch {mode}": ("on_device_theirs.py", mode) for mode in row.peers if torch}
    children = {}
    for name, (script, variant) in (ours | theirs).items():
        log = folder / re.sub(r"\W+", "_", f"{row.name} {name}.txt")
        command = (str(HERE / script), row.name, variant, json.dumps(settings))
        children[name] = Child(log, *command, late=variant == "compile")
        children[name].ask("prepare")
    return children


def time_row(row: Row, settings: dict[str, Any], children: dict[str, Child], until: float) -> dict[str, Any]:
    """Everything about one row; what fails is named in its place."""
    result: dict[str, Any] = {"row": row.name, "settings": settings, "best published": row.best, "contenders": {}}
    ready: dict[str, Child] = {}
    counts: dict[str, int] = {}
    for name, child in children.items():
        figures = result["contenders"][name] = {}
        try:
            figures |= child.value(until - time.monotonic())
            ready[name] = child
        except Failed as failure:
            figures["failed"] = str(failure)
    examples = settings["batch"] * row.unit[1]

    def ask(name: str, question: str) -> Any:
        ready[name].ask(question)
        return ready[name].value(until - time.monotonic())

    def drop(name: str, failure: Failed) -> None:
        result["contenders"][name]["failed"] = str(failure)
        del ready[name]

    for name in list(ready):
        steps = result["contenders"][name]["steps"]
        try:
            ask(name, f"time {steps}")
            seconds = ask(name, f"time {2 * steps}") / 2
            counts[name] = steps * max(1, round(ROUND_SECONDS / seconds))
            result["contenders"][name] |= {"rates": []}
        except Failed as failure:
            drop(name, failure)
    for _ in range(ROUNDS):
        for name in list(ready):
            try:
                seconds = ask(name, f"time {counts[name]}") / counts[name]
                result["contenders"][name]["rates"].append(examples / seconds)
            except Failed as failure:
                drop(name, failure)
    for question in ("memory", "kernels"):
        for name in list(ready):
            with contextlib.suppress(Failed):
                result["contenders"][name][question] = ask(name, question)
    return result


def summary(row: Row, result: dict[str, Any]) -> Iterator[str]:
    """The row's lines: rates, share of the peak, memory, seconds to compile, and times the better PyTorch."""
    figures = result["contenders"]
    rates = {name: statistics.median(f["rates"]) for name, f in figures.items() if f.get("rates")}
    best_peer = max((rate for name, rate in rates.items() if name.startswith("PyTorch")), default=None)
    counts = {f.get("parameters") for f in figures.values() if "parameters" in f}
    yield f"\n{row.name}; best published: {row.best}"
    if len(counts) > 1:
        yield f"  NOT THE SAME NETWORK: {counts} parameters"
    for name, f in figures.items():
        if "failed" in f:
            yield f"  {name:18} failed: {f['failed']}"
        if name not in rates:
            continue
        # Recomputation is no progress: variants count the first one's operations.
        own = figures.get("jaxgen" if name.startswith("jaxgen") else "PyTorch eager", {}).get("flops")
        batches = rates[name] / (result["settings"]["batch"] * row.unit[1])
        f["rate"], f["ms"] = rates[name], 1e3 / batches
        if own:
            f["teraflops"] = own * batches / 1e12
            if result["peak"]:
                f["mfu"] = own * batches / result["peak"]
        spread = (max(f["rates"]) - min(f["rates"])) / rates[name]
        parts = [f"{rates[name]:10,.0f} {row.unit[0]}/s ±{spread / 2:.1%}", f"{f['ms']:9.2f} ms"]
        parts += [f"{f['teraflops']:6.1f} TFLOP/s"] if own else []
        parts += [f"MFU {f['mfu']:.1%}"] if "mfu" in f else []
        parts += [f"{f['memory'] / 2**30:.2f} GiB"] if f.get("memory") else []
        parts += [f"compile {f['compile_seconds']:.0f} s"]
        if name.startswith("jaxgen") and best_peer:
            f["times the better PyTorch"] = rates[name] / best_peer
            parts += [f"{rates[name] / best_peer:.2f}x the better PyTorch"]
        yield f"  {name:18} " + ", ".join(parts)


def show_kernel(record: dict[str, Any]) -> str:
    parts = [f"{name} {1e3 * seconds:.3f} ms" for name, seconds in record["seconds"].items()]
    parts += [f"{name} {value:.0f} TFLOP/s" for name, value in record.get("teraflops", {}).items()]
    errors = record.get("error", {}).items()
    parts += [f"error ({name}) {e if isinstance(e, str) else format(e, '.1e')}" for name, e in errors]
    return f"{record['name']}: " + "; ".join([*parts, record.get("failed", "")])


def keep_compiled(cache: Path) -> str:
    """Lets contenders keep there what they compile; says whether something is there."""
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache / "jax")  # XLA's choices of kernels included
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache / "torch")
    return "used before" if cache.exists() else "empty"


def environment() -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {"date": str(datetime.date.today()), "python": platform.python_version(), "cpus": os.cpu_count(), **versions}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="names of rows, such as 'dcgan bf16' (or a part of one); all if none")
    parser.add_argument("--minutes", type=float, default=7, help="after which no new wave starts and the rest is left")
    parser.add_argument("--out", type=Path, help="file for every number, JSON")
    parser.add_argument("--logs", type=Path, help="folder for what the contenders print, and when they got how far")
    parser.add_argument("--cache", type=Path, help="folder for what is compiled, from which another run takes it")
    parser.add_argument("--toy", action="store_true", help="tiny networks, to see that it runs")
    parser.add_argument("--kernels", action=argparse.BooleanOptionalAction, default=True, help="single operations, too")
    parser.add_argument("--tests", action=argparse.BooleanOptionalAction, default=True, help="the device's tests, too")
    options = parser.parse_args(arguments)
    chosen = [row for row in ROWS if not options.rows or any(part in row.name for part in options.rows)]
    if not chosen:
        parser.error(f"rows are {options.rows}; there are {', '.join(row.name for row in ROWS)}.")
    options.rows = chosen
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    until = time.monotonic() + 60 * options.minutes
    results = Results(options.out, {"environment": environment()})
    if options.cache is not None:
        results.values["cache"] = keep_compiled(options.cache.resolve())
    results.write()  # so that a bad place for the file is known at once
    with contextlib.ExitStack() as stack:
        logs = options.logs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logs.mkdir(parents=True, exist_ok=True)
        waves = [list(wave) for _, wave in groupby(options.rows, key=lambda row: row.wave)]
        for index, wave in enumerate(waves):
            others = index == min(1, len(waves) - 1)  # the first wave is the dearest to compile
            tests = start_tests(stack, logs) if others and options.tests else None
            run_wave(wave, options.toy, logs, until, results, tests)
            if others and options.kernels:
                run_kernels(options.toy, logs, until, results)


def run_wave(
    wave: list[Row], toy: bool, logs: Path, until: float, results: Results, others: subprocess.Popen | None
) -> None:
    """Lets all rows of a wave get ready, then times one after another."""
    if time.monotonic() >= until:
        print(f"no time left for {', '.join(row.name for row in wave)}", flush=True)
        return
    with contextlib.ExitStack() as stack:
        races = []
        for row in wave:
            settings = settings_of(row, toy)
            children = contenders(row, settings, logs)
            for child in children.values():
                stack.callback(child.end)
            races.append((row, settings, children))
        wait_until_ready([child for _, _, children in races for child in children.values()], until)
        if others is not None:
            report_tests(others, until, logs, results)
        for place, (row, settings, children) in enumerate(races):
            now = time.monotonic()
            result = time_row(row, settings, children, now + (until - now) / (len(races) - place))  # its fair share
            for fact in ("device", "peak"):
                values = [f.pop(fact, None) for f in result["contenders"].values()]
                result[fact] = next(filter(None, values), None)
            for line in summary(row, result):
                print(line, flush=True)
            results.add("rows", result)
            for child in children.values():
                child.end()


def wait_until_ready(children: list[Child], until: float) -> None:
    """Returns when every child has answered or ended, or no longer has the time; those that have not are ended.

    What is left of the time shall do for timing all of them. Those that may be late have `LATE` seconds more than the
    others need.
    """
    started = time.monotonic()
    deadline = max(until - TIMING * len(children), (started + until) / 2)
    punctual = [child for child in children if not child.late]
    patience = deadline
    while time.monotonic() < min(patience, deadline) and any(child.answers.empty() for child in children):
        if patience == deadline and not any(child.answers.empty() for child in punctual):
            patience = time.monotonic() + LATE
        time.sleep(0.1)
    for child in children:
        if child.answers.empty():  # what still compiles would disturb the others
            child.end(f"not ready after {time.monotonic() - started:.0f} s")


def run_kernels(toy: bool, logs: Path, until: float, results: Results) -> None:
    """Single operations."""
    child = Child(logs / "kernels.txt", str(HERE / "on_device_kernels.py"), *(["toy"] if toy else []))
    try:
        while True:
            record = child.answer(until - time.monotonic())
            print(show_kernel(record), flush=True)
            results.add("kernels", record)
    except Failed as failure:
        if child.process.poll() != 0:
            print(f"kernels: {failure}", flush=True)
    finally:
        child.end()


def start_tests(stack: contextlib.ExitStack, logs: Path) -> subprocess.Popen:
    """`pytest -m accelerator`, which runs while a wave compiles."""
    report = stack.enter_context((logs / "tests.txt").open("w"))
    shared = {
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", ""),
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}",
    }
    options = (
        "-n",
        "0",
        "-v",
        "-m",
        "accelerator",
        "-o",
        "junit_logging=no",
        f"--junitxml={logs.resolve() / 'tests.xml'}",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, "tests/test_accelerator.py"],
        stdout=report,
        stderr=subprocess.STDOUT,
        env={**os.environ, **shared},
        cwd=HERE.parent,
    )
    stack.callback(process.kill)
    return process


def report_tests(process: subprocess.Popen, until: float, logs: Path, results: Results) -> None:
    """What came of them, with the figures that they recorded; of tests cut off, the names of those that ran."""
    try:
        process.wait(max(1, (until - time.monotonic()) / 4))
    except subprocess.TimeoutExpired:
        process.kill()
        print("tests: not done in time", *(logs / "tests.txt").read_text().splitlines()[-40:], sep="\n", flush=True)
        return
    for case in ElementTree.parse(logs / "tests.xml").iter("testcase"):
        wrong = [child for child in case if child.tag in ("failure", "error", "skipped")]
        figures = {p.get("name"): p.get("value") for p in case.iter("property")}
        outcome = f"{wrong[0].tag}: {(wrong[0].get('message') or '').splitlines()[:1]}" if wrong else "passed"
        record = {"test": case.get("name"), "outcome": outcome, "seconds": case.get("time"), **figures}
        print("test " + ", ".join(f"{key} {value}" for key, value in record.items() if key != "test"), record["test"])
        results.add("tests", record)


if __name__ == "__main__":
    main()
