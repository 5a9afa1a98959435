"""The accelerator's benchmark at toy size on CPU: rows, what compiles late, file, and what it says of a bad name."""

import importlib.util
import itertools
import json
import math
import os
import queue
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "accelerator.py"
MISSING = ("grain", "orbax", "tensorflow_datasets", "tyro")  # where an accelerator is rented


def bench(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, env={**os.environ})


def dense(*sizes):
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(sizes))


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    specification = importlib.util.spec_from_file_location("accelerator", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "accelerator", module)  # where dataclasses look it up
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_toy_rows_are_timed_and_written(tmp_path):
    names = ("mlp_vae bf16", "iwae bf16", "gated_pixelcnn bf16")
    options = ("--toy", "--no-tests", "--no-kernels", "--out", tmp_path / "out.json", "--cache", tmp_path / "cache")
    done = bench(*options, *names)
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["cache"] == "empty"
    assert any((tmp_path / "cache" / "jax").iterdir())
    rows = {row["row"].rsplit(" ", 1)[0]: row["contenders"] for row in written["rows"]}
    assert set(rows) == set(names)
    parameters = {
        "mlp_vae bf16": dense(784, 400, 40) + dense(20, 400, 784),
        "iwae bf16": dense(784, 200, 200, 100) + dense(50, 200, 200, 784),
        # Two layers of width 6: above, from there to the row, the row, out; and the head.
        "gated_pixelcnn bf16": dense(6 * 3, 12) + dense(12, 12) + dense(6 * 2, 12) + dense(6, 6)
        + dense(6 * 6, 12) + dense(12, 12) + dense(6 * 2, 12) + dense(6, 6)
        + dense(6, 6, 768),
    }  # fmt: skip
    # Forward, and backward by weights and inputs; images have no gradient.
    flops = {
        "mlp_vae bf16": 2 * 8 * (3 * (400 * 40 + 20 * 400 + 400 * 784) + 2 * 784 * 400),
        "iwae bf16": 2 * 2 * (3 * (200 * 200 + 200 * 100) + 2 * 784 * 200)
        + 3 * 2 * 6 * (50 * 200 + 200 * 200 + 200 * 784),
        "gated_pixelcnn bf16": 2 * 2 * 16 * (2 * (6 * 3 * 12 + 6 * 2 * 12) + 3 * (12 * 12 + 6 * 6)
        + 3 * (6 * 6 * 12 + 12 * 12 + 6 * 2 * 12 + 6 * 6) + 3 * (6 * 6 + 6 * 768)),
    }  # fmt: skip
    for name, contenders in rows.items():
        for figures in contenders.values():  # PyTorch's, too, where it is
            assert figures["parameters"] == parameters[name]
            assert len(figures["rates"]) == 5
            assert min(figures["rates"]) > 0
            assert figures["flops"] in (flops[name], None)  # torch.compile's are not counted
        assert name in done.stdout


def test_rows_need_no_package_but_those_of_an_accelerator():
    code = f"import sys; sys.modules.update(dict.fromkeys({MISSING})); import on_device_ours, on_device_kernels"
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPT.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Slow:
    """A contender that is ready after so many seconds."""

    def __init__(self, seconds, late):
        self.answers, self.late, self.fate = queue.Queue(), late, None
        self.ready = time.monotonic() + seconds
        self.answers.empty = lambda: time.monotonic() < self.ready

    def end(self, why):
        self.fate = why


@pytest.mark.parametrize(
    ("punctual", "late", "left", "seconds", "ended"),
    [
        (0.3, 0.6, 60, 0.6, [False, False]),  # a little late
        (0.3, math.inf, 60, 0.8, [False, True]),  # half a second later than the others, never
        (math.inf, 0.3, 1, 0.5, [True, False]),  # a contender that must not be late has all but the time to be timed
    ],
)
def test_a_wave_waits_for_ours_and_not_long_for_what_may_be_late(
    benchmark, monkeypatch, punctual, late, left, seconds, ended
):
    monkeypatch.setattr(benchmark, "LATE", 0.5)
    monkeypatch.setattr(benchmark, "TIMING", 0.25)
    start = time.monotonic()
    contenders = [Slow(punctual, late=False), Slow(late, late=True)]
    benchmark.wait_until_ready(contenders, start + left)
    assert seconds <= time.monotonic() - start < seconds + 0.4
    assert [contender.fate is not None for contender in contenders] == ended


def test_the_dearest_networks_are_the_first_wave_and_bfloat16_goes_before_tf32(benchmark):
    assert [row.name for row in benchmark.ROWS if row.wave == 0] == ["biggan bf16 64", "transformer bf16 32"]
    dtypes = [row.dtype for row in benchmark.ROWS]
    assert dtypes == sorted(dtypes)


def test_a_row_that_does_not_exist_is_named():
    done = bench("glo bf17")
    assert done.returncode == 2
    assert "glo bf17" in done.stderr
