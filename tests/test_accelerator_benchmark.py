"""The accelerator's benchmark at toy size on CPU: rows, kernels and file, and what it says of a bad name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "accelerator.py"


def bench(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, env={**os.environ})


@pytest.mark.slow
def test_a_toy_row_is_timed_and_written(tmp_path):
    out = tmp_path / "results.json"
    done = bench("--toy", "--no-tests", "--no-kernels", "--out", out, "mlp_vae bf16")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(out.read_text())["rows"]
    ours = row["contenders"]["jaxgen"]
    assert ours["parameters"] == 784 * 400 + 400 + 400 * 40 + 40 + 20 * 400 + 400 + 400 * 784 + 784
    # Forward and backward of both networks for 8 images; images have no gradient.
    products = 3 * (400 * 40 + 20 * 400 + 400 * 784) + 2 * 784 * 400
    assert ours["flops"] == 2 * 8 * products
    assert len(ours["rates"]) == 5
    assert min(ours["rates"]) > 0
    assert "mlp_vae bf16" in done.stdout


def test_a_row_that_does_not_exist_is_named():
    done = bench("glo bf17")
    assert done.returncode == 2
    assert "glo bf17" in done.stderr
