"""The loop: one trace, exact resumption, rows and pictures where they are due, and a stop that says why."""

import json
import os
import signal

import chex
import jax
import jax.numpy as jnp
import pytest
from rich.console import Console

from jaxgen.core import Aux
from jaxgen.errors import NonFiniteError, UserError
from jaxgen.training.evaluate import evaluate
from jaxgen.training.loop import Schedule
from jaxgen.training.run_folder import RunFolder

QUIET = Console(quiet=True)


def rows(folder):
    return [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]


def newest(folder):
    return max(int(path.name) for path in folder.checkpoints.iterdir() if path.name.isdigit())


def run(trainer, path, draw=lambda path, samples: None):
    folder = RunFolder(path)
    if not folder.exists:
        folder.create({})
    return folder, trainer.run(folder, draw, QUIET)


def test_a_whole_run_traces_once_and_writes_what_is_due(regression, tmp_path):
    trainer, traces = regression()
    drawn = []
    folder, state = run(trainer, tmp_path / "run", lambda path, samples: drawn.append((path.name, samples.shape)))
    assert len(traces) == 1
    assert [row["step"] for row in rows(folder)] == [5, 10, 15, 20]
    assert drawn == [("step_0000010.png", (64, 2)), ("step_0000020.png", (64, 2))]
    assert sorted(int(path.name) for path in folder.checkpoints.iterdir() if path.name.isdigit()) == [10, 15, 20]
    assert rows(folder)[-1]["line/loss"] < rows(folder)[0]["line/loss"]
    assert state.step == 20


def test_an_interrupted_run_continues_bit_for_bit(regression, tmp_path):
    trainer, _ = regression()
    folder, whole = run(trainer, tmp_path / "whole")

    def press_ctrl_c(path, samples):
        os.kill(os.getpid(), signal.SIGINT)

    trainer, _ = regression()
    with pytest.raises(KeyboardInterrupt):
        run(trainer, tmp_path / "parts", press_ctrl_c)
    assert newest(RunFolder(tmp_path / "parts")) == 10
    trainer, _ = regression()
    parts_folder, parts = run(trainer, tmp_path / "parts")
    chex.assert_trees_all_equal(whole, parts)
    without_speed = [[{k: v for k, v in row.items() if k != "images_per_second"} for row in rows(f)]
                     for f in (folder, parts_folder)]  # fmt: skip
    assert without_speed[0] == without_speed[1]


def test_rows_after_the_checkpoint_are_dropped_and_a_half_written_one_too(regression, tmp_path):
    trainer, _ = regression(Schedule(steps=10, log_every=5, checkpoint_every=5))
    folder, _ = run(trainer, tmp_path / "run")
    with folder.metrics_file.open("a") as file:
        file.write('{"step": 15, "line/loss": 0.0}\n{"step": 20, "line')
    trainer, _ = regression(Schedule(steps=20, log_every=5, checkpoint_every=5))
    run(trainer, tmp_path / "run")
    assert [row["step"] for row in rows(folder)] == [5, 10, 15, 20]
    assert rows(folder)[2]["line/loss"] != 0.0


@pytest.mark.parametrize(("steps_per_call", "kind"), [(1, "NaN"), (2, "infinite")])
def test_a_non_finite_metric_stops_with_step_phase_and_name(regression, tmp_path, steps_per_call, kind):
    bad = {"NaN": jnp.nan, "infinite": jnp.inf}[kind]

    def loss(view, batch, key):
        value = jnp.mean(view("line", batch["x"]) ** 2)
        return value, Aux({"oddity": jnp.where(view.step == 12, bad, value)})

    schedule = Schedule(20, log_every=10, sample_every=10, checkpoint_every=4, steps_per_call=steps_per_call)
    trainer, _ = regression(schedule, loss=loss)
    with pytest.raises(NonFiniteError, match=f"oddity of phase line became {kind} at step 13;"):
        run(trainer, tmp_path / "run")
    assert newest(RunFolder(tmp_path / "run")) == 12


def test_schedules_that_cannot_be_are_sentences(regression, tmp_path):
    for field in ("steps", "log_every", "sample_every", "checkpoint_every", "steps_per_call"):
        with pytest.raises(UserError, match=f"{field} is 0; it must be at least 1"):
            Schedule(**{"steps": 10, field: 0})
    with pytest.raises(UserError, match="log_every 50 is not a multiple of steps_per_call 20"):
        Schedule(steps=100, steps_per_call=20)
    trainer, _ = regression(Schedule(steps=5))
    run(trainer, tmp_path / "run")
    trainer, _ = regression(Schedule(steps=4))
    with pytest.raises(UserError, match="steps is 4 but the run is at step 5 already"):
        run(trainer, tmp_path / "run")
    trainer, _ = regression(Schedule(10, 10, 10, 10, steps_per_call=2))
    with pytest.raises(UserError, match="steps_per_call 2 does not divide step 5"):
        run(trainer, tmp_path / "run")


def test_evaluation_is_the_mean_over_real_examples(regression):
    trainer, _ = regression()
    state = trainer.init()
    kernel, bias = (state.nets["line"].ema[name] for name in ("kernel", "bias"))
    x = jnp.arange(6.0)[:, None]
    batches = [
        {"x": x[:4], "weight": jnp.ones(4)},
        {"x": jnp.pad(x[4:], ((0, 2), (0, 0))), "weight": jnp.array([1, 1, 0, 0.0])},
    ]
    errors = ((x @ kernel + bias - 2 * x - 1) ** 2)[:, 0]
    figures = evaluate(trainer.method, state, batches, trainer.mesh)
    assert figures["error"]["mean"] == pytest.approx(float(errors.mean()), rel=1e-5)
    assert figures["error"]["standard_error"] == pytest.approx(float(errors.std(ddof=1) / 6**0.5), rel=1e-5)


def test_evaluation_uses_the_averaged_weights(regression):
    trainer, _ = regression()
    state = trainer.init()
    moved = state.nets["line"].replace(params=jax.tree.map(lambda x: x + 100, state.nets["line"].params))
    batches = [{"x": jnp.ones((4, 1)), "weight": jnp.ones(4)}]
    before = evaluate(trainer.method, state, batches, trainer.mesh)
    assert before == evaluate(trainer.method, state.replace(nets={"line": moved}), batches, trainer.mesh)
