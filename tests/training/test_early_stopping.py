"""Early stopping on a figure whose course over the steps is written down in advance."""

import dataclasses
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from rich.console import Console

from jaxgen.core import Aux, Latents, Method, Net, Phase
from jaxgen.data.embedded import digits
from jaxgen.errors import NonFiniteError, Preempted, UserError
from jaxgen.experiment import Experiment
from jaxgen.training.early_stopping import EarlyStopping
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.trainer import Trainer

# At steps 2, 4, ...: of the two best within reach the first is at step 10; nobody waits for the last.
COURSE = (5.0, 3.0, 4.0, 4.0, 2.0, 3.0, 2.0, 6.0, 0.0, 0.0)
RULE = EarlyStopping("figure", every=2, patience=3)


def trainer(rule=RULE, course=COURSE, sign=1.0, *, steps=20, log_every=2, checkpoint_every=2):
    """Learns a line; the figure is sign · course at a state's step."""

    def loss(view, batch, key):
        return jnp.mean((view("line", batch["x"]) - 2 * batch["x"] - 1) ** 2), Aux()

    def evaluate(view, batch, key):
        figure = sign * jnp.asarray(course)[view.step // 2 - 1]
        return {"other": -batch["x"][:, 0], "figure": figure + batch["x"][:, 0]}

    method = Method(
        "regression",
        {"line": Net(nn.Dense(1), optax.adam(0.1), ema_decay=0.9)},
        (Phase("line", ("line",), loss),),
        lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
        Latents(lambda key, count, batch: jnp.zeros((count, 1)), lambda view, z, key: view("line", z)),
        evaluate,
    )

    def batches(start):
        for step in itertools.count(start):
            yield {"x": np.random.default_rng(step).normal(size=(1, 1, 4, 1)).astype(np.float32)}

    schedule = Schedule(steps, log_every, sample_every=3, checkpoint_every=checkpoint_every)
    first = {"x": np.zeros((4, 1), np.float32)}
    padded = {"x": np.array([[-1.0], [1.0], [7.0], [7.0]])}, np.array([1.0, 1.0, 0.0, 0.0])
    return Trainer(method, schedule, batches, first, 0, make_mesh(), early_stopping=rule, validation=lambda: [padded])


def run(trainer, path, draw=lambda path, samples: None):
    """The folder, the state, and what was said."""
    folder = RunFolder(path)
    if not folder.exists:
        folder.create({})
    with (folder.path / "said").open("w+") as said:
        state = train([trainer], folder, draw, Console(file=said, width=1000))
        said.seek(0)
        return folder, state, said.read()


def validated(folder):
    rows = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    return {row["step"]: row["validation/figure"] for row in rows if "validation/figure" in row}


def steps_of(folder):
    return {int(path.name) for path in folder.checkpoints.iterdir() if path.name.isdigit()}


def test_training_ends_when_patience_is_used_up_and_goes_back_to_the_first_of_the_best(tmp_path):
    _, expected, _ = run(trainer(None, steps=10), tmp_path / "plain")
    drawn = []
    one = trainer()
    folder, state, said = run(one, tmp_path / "run", lambda path, samples: drawn.append(path.stem))
    chex.assert_trees_all_equal(state, expected)
    assert validated(folder) == dict(zip(range(2, 17, 2), COURSE, strict=False))
    assert steps_of(folder) == {10, 12, 14, 16}
    assert "figure on validation examples was best at step 10 of 16, to which the run goes back." in said
    assert drawn[-1] == "step_0000010"

    rows = folder.metrics_file.read_text()
    _, again, said = run(one, folder.path)
    chex.assert_trees_all_equal(again, expected)
    assert "Resuming at step 16 of 20" in said
    assert folder.metrics_file.read_text() == rows


def test_a_signal_after_the_last_step_is_not_lost(tmp_path):
    def draw(path, samples):
        if path.stem == "step_0000010" and (tmp_path / "run" / "checkpoints" / "16").exists():
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Preempted):
        run(trainer(), tmp_path / "run", draw)


def test_larger_is_better_where_it_is_said_and_the_last_step_may_come_first(tmp_path):
    most = dataclasses.replace(RULE, mode="max")
    folder, state, _ = run(trainer(most, sign=-1.0, checkpoint_every=20), tmp_path / "run")
    assert state.step == 10
    assert steps_of(folder) == {4, 10, 16}  # what was best when it was saved, and the last

    folder, state, _ = run(trainer(most, sign=-1.0, steps=9, checkpoint_every=20), tmp_path / "short")
    assert state.step == 4
    assert validated(folder)[9] == -COURSE[3]
    _, state, _ = run(trainer(most, sign=-1.0, checkpoint_every=20), folder.path)
    assert state.step == 10


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_never_was(tmp_path):
    one = trainer(checkpoint_every=6)
    folder, whole, _ = run(one, tmp_path / "whole")
    killed = RunFolder(tmp_path / "killed")
    same_mesh = os.environ | {"JAX_NUM_CPU_DEVICES": str(jax.device_count())}
    assert subprocess.run([sys.executable, __file__, killed.path], env=same_mesh).returncode == -signal.SIGKILL
    assert 10 in steps_of(killed)
    assert not {14, 16} & steps_of(killed)
    _, resumed, said = run(one, killed.path)
    assert "Resuming at step 1" in said  # 10 or 12: the save may have been under way
    chex.assert_trees_all_equal(resumed, whole)
    assert validated(killed) == validated(folder)
    assert steps_of(killed) == steps_of(folder) == {10, 12, 16}


def test_a_figure_that_is_no_number_is_not_the_best(tmp_path):
    with pytest.raises(NonFiniteError, match="figure of validation became NaN at step 6;"):
        run(trainer(course=(5.0, 3.0, float("nan"), 4.0)), tmp_path / "run")
    assert steps_of(RunFolder(tmp_path / "run")) == {2, 4}


def test_rules_that_cannot_be_are_sentences():
    for field in ("every", "patience"):
        with pytest.raises(UserError, match=f"early_stopping.{field} is 0; it must be at least 1"):
            dataclasses.replace(RULE, **{field: 0})
    with pytest.raises(UserError, match="early_stopping.every 2 is not a multiple of log_every 4"):
        trainer(log_every=4)
    with pytest.raises(UserError, match="metric is 'bits', which regression has not; choose figure or other."):
        trainer(dataclasses.replace(RULE, metric="bits"))
    experiment = functools.partial(
        Experiment, method=trainer().method, data=digits(), schedule=Schedule(5), batch_size=4, seed=0
    )
    with pytest.raises(UserError, match="early_stopping needs validation examples, which digits has not; leave it out"):
        experiment(early_stopping=RULE)


def killed_at(step):
    def draw(path, samples):
        if path.stem == f"step_{step:07d}":
            os.kill(os.getpid(), signal.SIGKILL)

    return draw


if __name__ == "__main__":
    run(trainer(checkpoint_every=6), Path(sys.argv[1]), killed_at(15))
