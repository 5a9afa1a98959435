"""The loop: one trace, exact resumption, rows and pictures where they are due, and a stop that says why."""

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import signal
import time

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from jaxgen.core import Aux
from jaxgen.errors import NonFiniteError, Preempted, UserError
from jaxgen.training.evaluate import evaluate, of_examples, sampler
from jaxgen.training.logging import MetricLog
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import batch_sharding, shardings_of
from jaxgen.training.trainer import Trainer

QUIET = Console(quiet=True)


def rows(folder):
    return [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]


def newest(folder):
    return max(int(path.name) for path in folder.checkpoints.iterdir() if path.name.isdigit())


def without_speed(folder):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows(folder)]


def run(trainer, path, draw=lambda path, samples: None, rollbacks=0):
    folder = RunFolder(path)
    if not folder.exists:
        folder.create({})
    return folder, train([trainer], folder, draw, QUIET, rollbacks)


def test_a_whole_run_traces_once_and_writes_what_is_due(regression, tmp_path):
    trainer, traces = regression()
    drawn = []
    folder, state = run(trainer, tmp_path / "run", lambda path, samples: drawn.append((path.name, samples.shape)))
    assert len(traces) == 1
    assert [row["step"] for row in rows(folder)] == [5, 10, 15, 20]
    assert drawn == [("step_0000010.png", (64, 2)), ("step_0000020.png", (64, 2))]
    assert sorted(int(path.name) for path in folder.checkpoints.iterdir() if path.name.isdigit()) == [10, 15, 20]
    assert rows(folder)[-1]["line/loss"] < rows(folder)[0]["line/loss"]
    assert all(row["line/grad_norm"] > 0 for row in rows(folder))
    assert state.step == 20


def test_rows_are_due_at_multiples_and_at_the_end():
    assert [step for step in range(1, 8) if Schedule(steps=7, log_every=3).logs(step)] == [3, 6, 7]


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Preempted)], ids=["Ctrl-C", "SIGTERM"]
)
def test_an_interrupted_run_continues_bit_for_bit(regression, tmp_path, number, error):
    before = signal.getsignal(number)
    trainer, _ = regression()
    folder, whole = run(trainer, tmp_path / "whole")

    trainer, _ = regression()
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(trainer, tmp_path / "parts", lambda path, samples: os.kill(os.getpid(), number))
    assert type(stopped.value) is error
    assert newest(RunFolder(tmp_path / "parts")) == 10
    assert signal.getsignal(number) == before
    trainer, _ = regression()
    parts_folder, parts = run(trainer, tmp_path / "parts")
    chex.assert_trees_all_equal(whole, parts)
    assert without_speed(folder) == without_speed(parts_folder)


@pytest.fixture
def terminal():
    """Ctrl-C as a terminal has it; a shell's background job ignores it, and so would the tests of one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("presses", [1, 2])
def test_only_what_was_saved_is_said_to_be(regression, tmp_path, capsys, presses):
    def draw(path, samples):
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)  # handled before it returns: two that wait would count as one

    trainer, _ = regression(Schedule(steps=20, log_every=5, sample_every=5, checkpoint_every=20))
    folder = RunFolder(tmp_path / "run")
    folder.create({})
    with pytest.raises(KeyboardInterrupt):
        train([trainer], folder, draw, Console())
    assert (folder.checkpoints / "5").exists() == (presses == 1)
    assert ("Stopped and saved; the same command continues." in capsys.readouterr().out) == (presses == 1)


def test_a_row_is_on_disk_before_the_checkpoint_of_its_step(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create({})
    log = MetricLog(folder, 0, images_per_step=1)
    log.add(5, {"line/loss": jnp.ones(1)})
    log.row()
    log.check()  # what precedes a checkpoint; a killed process does no more
    assert [row["step"] for row in rows(folder)] == [5]
    log.close()


def test_speed_counts_until_the_device_is_done_and_not_until_calls_return(tmp_path):
    @jax.jit
    def slow(x):
        return jax.lax.fori_loop(0, 2000, lambda _, x: jnp.tanh(x @ x), x).sum(keepdims=True)[0]

    x = jnp.eye(128)
    jax.block_until_ready(slow(x))
    folder = RunFolder(tmp_path / "run")
    folder.create({})
    start = time.perf_counter()
    log = MetricLog(folder, 0, images_per_step=1)
    for step in (1, 2, 3):
        log.add(step, {"line/loss": slow(x)})
        log.row()
    log.close()
    elapsed = time.perf_counter() - start
    # A row's is the longer of the host's and the device's, whose sums are the whole time each, if the machine is busy.
    assert 0.8 * elapsed < sum(1 / row["images_per_second"] for row in rows(folder)) < 2.1 * elapsed


def test_speed_is_the_host_s_where_that_is_slower(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create({})
    log = MetricLog(folder, 0, images_per_step=1)
    for step in (1, 2, 3):
        time.sleep(0.05)
        log.add(step, {"line/loss": jnp.ones(1)})
        log.row()
    log.close()
    assert all(row["images_per_second"] <= 1 / 0.05 for row in rows(folder))


def poisoned(trainer, position):
    """A loss with a metric that becomes NaN when it sees a certain batch, wherever in the run."""
    with contextlib.closing(trainer.batches(position)) as data:
        poison = next(data)["x"][0, 0, 0, 0]

    def loss(view, batch, key):
        value = jnp.mean((view("line", batch["x"]) - 2 * batch["x"] - 1) ** 2)
        return value + jnp.where(batch["x"][0, 0] == poison, jnp.nan, 0.0), Aux()

    return loss


def passing_over(trainer, batches):
    """The trainer on data without the batches of those numbers."""
    every = trainer.batches

    def remaining(start):
        kept = (data for number, data in enumerate(every(0)) if number not in batches)
        yield from itertools.islice(kept, start, None)

    trainer.batches = remaining
    return trainer


def test_a_rollback_passes_over_the_batches_and_a_restart_passes_over_the_same(regression, tmp_path):
    trainer, _ = regression()
    loss = poisoned(trainer, 12)
    trainer, _ = regression(loss=loss)
    folder, rolled_back = run(trainer, tmp_path / "rolled back", rollbacks=1)
    assert [row["step"] for row in rows(folder)] == [5, 10, 15, 20]
    (recorded,) = json.loads(folder.rollbacks_file.read_text())
    assert recorded == {"step": 10, "skipped": 3, "finding": "loss of line became NaN at step 13"}
    expected = passing_over(regression()[0], {10, 11, 12})
    expected_folder, never_met = run(expected, tmp_path / "without")
    chex.assert_trees_all_equal(rolled_back, never_met)
    assert without_speed(folder) == without_speed(expected_folder)

    for first_kept in (15, 5):  # a restart after the leap, and one before it
        copy = RunFolder(tmp_path / f"from {first_kept}")
        shutil.copytree(folder.path, copy.path)
        steps = [int(path.name) for path in copy.checkpoints.iterdir()]
        for step in steps:
            if step > first_kept:
                shutil.rmtree(copy.checkpoints / str(step))
        if first_kept not in steps:
            shutil.rmtree(copy.checkpoints)  # starts from the beginning
        trainer, _ = regression(loss=loss)
        _, restarted = run(trainer, copy.path)
        chex.assert_trees_all_equal(restarted, never_met)
        assert without_speed(copy) == without_speed(expected_folder)


def test_rollbacks_are_given_up_after_the_stated_number(regression, tmp_path):
    def loss(view, batch, key):
        value = jnp.mean(view("line", batch["x"]) ** 2)
        return value, Aux({"oddity": jnp.where(view.step == 12, jnp.nan, value)})

    trainer, _ = regression(loss=loss)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(NonFiniteError, match="oddity of line became NaN at step 13 after 2 rollbacks;"):
        run(trainer, folder.path, rollbacks=2)
    assert [entry["step"] for entry in json.loads(folder.rollbacks_file.read_text())] == [10, 5]
    folder.rollbacks_file.write_text('[{"step": "ten"}]')
    with pytest.raises(UserError, match=r"rollbacks.json cannot be read .* mend it"):
        run(trainer, folder.path, rollbacks=2)


def test_nothing_is_saved_of_a_step_whose_gradient_alone_is_not_finite(regression, tmp_path):
    """Where the loss is finite, the gradient's norm tells: also at a checkpoint between two rows."""

    def loss(view, batch, key):
        value = jnp.mean(view("line", batch["x"]) ** 2)
        return value + jnp.sqrt(jnp.where(view.step == 7, 0.0, 1.0) * value), Aux()

    trainer, _ = regression(Schedule(steps=20, log_every=10, checkpoint_every=4), loss=loss)
    with pytest.raises(NonFiniteError, match="grad_norm of line became NaN at step 8;"):
        run(trainer, tmp_path / "run")
    assert newest(RunFolder(tmp_path / "run")) == 4


def test_a_full_disk_does_not_stop_a_run_that_finds_room_at_its_end(regression, tmp_path, disk, fill, capsys):
    trainer, _ = regression(Schedule(steps=80, log_every=1, sample_every=20, checkpoint_every=20))
    expected_folder, expected = run(trainer, tmp_path / "run")

    def draw(path, samples):
        if path.stem == "step_0000020":
            fill(leave=0)
        if path.stem == "step_0000080":
            (disk / "filler").unlink()
        path.write_bytes(bytes(5000))

    trainer, _ = regression(Schedule(steps=80, log_every=1, sample_every=20, checkpoint_every=20))
    folder = RunFolder(disk / "run")
    folder.create({})
    state = train([trainer], folder, draw, Console(force_terminal=False, width=1000))
    said = capsys.readouterr().out
    chex.assert_trees_all_equal(state, expected)
    assert without_speed(folder) == without_speed(expected_folder)
    assert newest(folder) == 80
    assert [path.name for path in folder.samples.iterdir() if path.stat().st_size] == ["step_0000080.png"]
    for step in (20, 40, 60):
        assert f"no checkpoint of step {step} could be written" in said
        assert f"no picture of step {step} could be written (No space left on device)" in said
    assert said.count("metrics cannot be written (No space left on device)") == 1


def test_rows_that_waited_for_room_are_written_though_no_other_follows(disk, fill):
    folder = RunFolder(disk / "run")
    folder.create({})
    log = MetricLog(folder, 0, images_per_step=1, say=lambda sentence: None)
    fill(leave=0)
    log.add(5, {"line/loss": jnp.ones(1)})
    log.row()
    log.check()
    assert not rows(folder)
    (disk / "filler").unlink()
    log.check()
    assert [row["step"] for row in rows(folder)] == [5]
    assert b"line/loss" in next(folder.path.glob("events.*")).read_bytes()
    log.close()


def test_a_phase_s_values_pass_on_to_the_row_after_a_stop_where_it_is_not_due_again(regression, tmp_path):
    """Step 13 is the last in which the lazy phase is due before row 16, and checkpoint 14 lies between."""
    schedule = Schedule(16, log_every=8, checkpoint_every=7)

    def lazy():
        trainer, _ = regression(schedule)
        (phase,) = trainer.method.phases
        phases = (phase, dataclasses.replace(phase, name="lazy", every=4))
        method = dataclasses.replace(trainer.method, phases=phases)
        return Trainer(method, schedule, trainer.batches, trainer.batch, seed=0, mesh=trainer.mesh)

    folder, state = run(lazy(), tmp_path / "run")
    whole = without_speed(folder)
    assert "lazy/loss" in whole[1]
    shutil.rmtree(folder.checkpoints / "16")
    _, again = run(lazy(), folder.path)
    assert without_speed(folder) == whole
    chex.assert_trees_all_equal(again, state)


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
    with pytest.raises(NonFiniteError, match=f"oddity of line became {kind} at step 13;"):
        run(trainer, tmp_path / "run")
    assert newest(RunFolder(tmp_path / "run")) == 12


def test_schedules_that_cannot_be_are_sentences(regression, tmp_path):
    for field in ("steps", "log_every", "sample_every", "checkpoint_every", "steps_per_call"):
        with pytest.raises(UserError, match=f"{field} is 0; it must be at least 1"):
            Schedule(**{"steps": 10, field: 0})
    with pytest.raises(UserError, match="log_every is 50, which is not a multiple of the 20 steps of"):
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
        ({"x": x[:4]}, jnp.ones(4)),
        ({"x": jnp.pad(x[4:], ((0, 2), (0, 0)))}, jnp.array([1, 1, 0, 0.0])),
    ]
    errors = ((x @ kernel + bias - 2 * x - 1) ** 2)[:, 0]
    figures = evaluate(trainer.method, state, batches, trainer.mesh)
    assert figures["error"]["mean"] == pytest.approx(float(errors.mean()), rel=1e-5)
    assert figures["error"]["standard_error"] == pytest.approx(float(errors.std(ddof=1) / 6**0.5), rel=1e-5)


def test_one_example_has_a_mean_and_no_standard_error(regression):
    trainer, _ = regression()
    batches = [({"x": jnp.zeros((8, 1))}, jnp.array([1.0, 0, 0, 0, 0, 0, 0, 0]))]
    figures = evaluate(trainer.method, trainer.init(), batches, trainer.mesh)
    assert figures["error"] == {"mean": 1.0, "standard_error": None}
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_every_batch_of_an_evaluation_has_its_own_noise_the_same_each_time(regression):
    trainer, _ = regression()
    state, batches = trainer.init(), [({"x": jnp.zeros((4, 1))}, jnp.ones(4))] * 3
    noise = lambda view, batch, key: {"noise": jax.random.normal(key, (4,))}  # noqa: E731
    drawn = of_examples(trainer.method, noise, trainer.mesh, shardings_of(state))
    first = drawn(state, batches)["noise"]
    assert len(np.unique(first)) == 12
    np.testing.assert_array_equal(drawn(state, batches)["noise"], first)


def test_evaluation_and_samples_use_the_averaged_weights(regression):
    trainer, _ = regression()
    state = trainer.init()
    moved = state.nets["line"].replace(params=jax.tree.map(lambda x: x + 100, state.nets["line"].params))
    batches = [({"x": jnp.ones((4, 1))}, jnp.ones(4))]
    draw = sampler(trainer.method, trainer.mesh, shardings_of(state), 4)

    def seen(net):
        there = state.replace(nets={"line": net})
        return evaluate(trainer.method, there, batches, trainer.mesh), np.asarray(draw(there, jax.random.key(0)))

    expected = seen(state.nets["line"])
    chex.assert_trees_all_equal(seen(moved), expected)
    assert not np.array_equal(seen(moved.replace(ema=moved.params))[1], expected[1])


@pytest.mark.parametrize("placed", [True, False])
def test_steps_rows_pictures_and_checkpoints_transfer_nothing_that_was_not_asked_for(regression, tmp_path, placed):
    """Metrics are fetched a row late and by name; what the guard lets pass cannot make the device wait unseen."""
    trainer, _ = regression()
    unplaced, sharding = trainer.batches, batch_sharding(trainer.mesh, leading_axes=2)

    def batches(start):
        for count, batch in enumerate(unplaced(start)):
            if count == 1:  # the first call has been made
                jax.config.update("jax_transfer_guard", "disallow")
            yield jax.device_put(batch, sharding) if placed else batch

    trainer.batches = batches
    try:
        if placed:
            assert int(run(trainer, tmp_path / "run")[1].step) == 20
        else:  # as a check of the check
            with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
                run(trainer, tmp_path / "run")
    finally:
        jax.config.update("jax_transfer_guard", "allow")
