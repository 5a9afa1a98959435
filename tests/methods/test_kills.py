"""Runs that are killed by SIGKILL at a step, at a stage's boundary or in its carry go on bit for bit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import chex
import jax
import methods_table as table
import pytest
from rich.console import Console

from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.stages import Stage
from jaxgen.training.trainer import Trainer

STEPS, FIRST = 48, 20


def experiment(name):
    rows = [table.TABLE[row] for row in table.ALGORITHMS[name]]
    data = [row.data() if isinstance(row.data(), Dataset) else table.dataset(row.data()) for row in rows]
    lengths = (FIRST, None) if len(rows) > 1 else (None,)
    stages = tuple(Stage(str(i), row.build(), n) for i, (row, n) in enumerate(zip(rows, lengths, strict=True)))
    schedule = Schedule(STEPS, log_every=8, sample_every=1000, checkpoint_every=7)
    return Experiment(stages=stages, data=data[0], schedule=schedule, batch_size=16, seed=1)


def run(name, path):
    folder = RunFolder(path)
    if not folder.exists:
        folder.create({})
    trainers = experiment(name).trainers(make_mesh(devices=jax.devices()[:1]))
    return train(trainers, folder, lambda path, samples: None, Console(quiet=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(table.ALGORITHMS))
def test_a_killed_run_goes_on_bit_for_bit(name, tmp_path):
    whole = jax.device_get(run(name, tmp_path / "whole"))
    for moment in ("17", "41") if len(table.ALGORITHMS[name]) == 1 else ("11", str(FIRST), "carry", "35"):
        command = [sys.executable, __file__, name, str(tmp_path / moment), moment]
        killed = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "JAX_NUM_CPU_DEVICES": "4"})
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
        chex.assert_trees_all_equal(jax.device_get(run(name, tmp_path / moment)), whole)


def main(name, path, moment):
    """Kills this process when so many steps are done, the last checkpoint written, or while a stage is carried into."""

    def kill(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    program, save, calls = Trainer.program, Checkpoints.save, []

    def counted(self, step):
        calls.append(1)
        return kill() if moment != "carry" and len(calls) > int(moment) + 1 else program(self, step)

    def save_at_once(self, *args):
        save(self, *args)
        self.wait()

    Trainer.program, Checkpoints.save = counted, save_at_once
    if moment == "carry":
        Trainer.begin = kill
    run(name, path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
