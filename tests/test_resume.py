"""A real process killed at a random step ends, restarted, in the same bytes as one that never was."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from jaxgen.shipped import find

STEPS = 60
SETTINGS = {
    "vae": ["--hidden", "16", "--steps-per-call", "1"],
    "dcgan": ["--width", "4", "--batch-size", "8"],
    "glow": ["--width", "4", "--batch-size", "8", "--flow-steps", "1", "--levels", "1"],
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One compilation cache for the three processes of a family: the test is about state, not compiling."""
    return tmp_path_factory.mktemp("cache")


def start(experiment, folder, cache):
    command = ["train", find(experiment), *SETTINGS[experiment], "--steps", str(STEPS)]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-m", "jaxgen", *command, "--checkpoint-every", "10", "--run-dir", folder],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def committed(folder):
    return [int(path.name) for path in (folder / "checkpoints").glob("*") if path.name.isdigit()]


def final_bytes(folder):
    state = ocp.StandardCheckpointer().restore(folder / "checkpoints" / str(STEPS) / "state")
    return {
        jax.tree_util.keystr(path): np.asarray(leaf).tobytes()
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def rows(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "images_per_second"} for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "exits"),
    [
        ("vae", {signal.SIGTERM: 75, signal.SIGKILL: -signal.SIGKILL}),
        ("dcgan", {signal.SIGKILL: -signal.SIGKILL}),
        ("glow", {signal.SIGKILL: -signal.SIGKILL}),
    ],
)
def test_signals_lose_nothing(experiment, exits, tmp_path, cache):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert start(experiment, whole, cache).wait() == 0

    at = 0
    for number, code in exits.items():
        at += random.choice([10, 20])
        print(f"{number.name} after step {at}")  # for whoever sees this fail
        process = start(experiment, stopped, cache)
        while not any(step >= at for step in committed(stopped)):
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.001)
        process.send_signal(number)
        assert process.wait() == code
        assert STEPS not in committed(stopped)

    process = start(experiment, stopped, cache)
    assert process.wait() == 0, process.stderr.read().decode()
    assert final_bytes(stopped) == final_bytes(whole)
    assert rows(stopped) == rows(whole)
