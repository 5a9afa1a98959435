"""Runs that SIGKILL ends in the middle of a stage, at its boundary and in the carry go on bit for bit."""

import functools
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
from jaxgen.training.stages import Stage, carry_over
from jaxgen.training.trainer import Trainer

STEPS = 240  # the stages' together, of which all are as long


def experiment(name, carry=carry_over):
    rows = [table.TABLE[row] for row in table.ALGORITHMS[name]]
    data = [row.data() if isinstance(row.data(), Dataset) else table.dataset(row.data()) for row in rows]
    lengths = [STEPS // len(rows)] * (len(rows) - 1) + [None]
    stages = tuple(
        Stage(str(i), row.build(), n, carry=carry) for i, (row, n) in enumerate(zip(rows, lengths, strict=True))
    )
    schedule = Schedule(STEPS, log_every=20, sample_every=1000, checkpoint_every=50)
    return Experiment(stages=stages, data=data[0], schedule=schedule, batch_size=16, seed=1)


@functools.cache
def trainers(name, carry=carry_over):
    return experiment(name, carry).trainers(make_mesh(devices=jax.devices()[:1]))


def run(name, path, carry=carry_over):
    folder = RunFolder(path)
    if not folder.exists:
        folder.create({})
    return train(trainers(name, carry), folder, lambda path, samples: None, Console(quiet=True))


def moments(name):
    """When a run is killed, one time after the other: after so many steps, at a boundary, in a carry."""
    stages = len(table.ALGORITHMS[name])
    middles = [str(STEPS * (4 * i + 3) // (4 * stages) + 1) for i in range(stages)]
    between = [moment for middle in middles for moment in (middle, "boundary", "carry")][:-2]
    return between if stages > 1 else ["67", *between]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(table.ALGORITHMS))
def test_a_run_killed_again_and_again_goes_on_bit_for_bit(name, tmp_path):
    whole = jax.device_get(run(name, tmp_path / "whole"))
    for moment in moments(name):
        command = [sys.executable, __file__, name, str(tmp_path / "killed"), moment]
        killed = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "JAX_NUM_CPU_DEVICES": "4"})
        assert killed.returncode == -signal.SIGKILL, (moment, killed.stderr[-2000:])
    chex.assert_trees_all_equal(jax.device_get(run(name, tmp_path / "killed")), whole)


def main(name, path, moment):
    """Kills this process after a step, when a finished stage has been saved, or while the next one takes it over."""

    def kill(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    program, save = Trainer.program, Checkpoints.save

    def counted(self, step):
        before = self.index * STEPS // len(table.ALGORITHMS[name])
        return kill() if before + step == int(moment) else program(self, step)

    def save_at_once(self, *args):
        save(self, *args)
        self.wait()

    Checkpoints.save = save_at_once  # so that it is certain where the next process goes on
    if moment == "boundary":
        finish = Checkpoints.save_and_wait
        Checkpoints.save_and_wait = lambda *args: kill(finish(*args))
    elif moment != "carry":
        Trainer.program = counted
    run(name, path, kill if moment == "carry" else carry_over)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
