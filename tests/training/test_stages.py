"""Stages of a run: what passes on, what begins anew, and that a run cut short anywhere goes on bit for bit."""

import contextlib
import dataclasses
import functools
import io
import json
import os
import shutil
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
from jax.sharding import PartitionSpec as P
from rich.console import Console

from jaxgen import from_run, load_run
from jaxgen.core import Aux, Method, Net, NetState, Phase, TrainState
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.early_stopping import EarlyStopping
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.stages import Stage, carry_over


def numbers(name, low=0):
    x = (low + np.arange(16, dtype=np.float32))[:, None]
    source = Source(name, "train", lambda: {"x": x[:1]}, lambda: Memory({"x": x}))
    return Dataset(source, source, source)


def method(name, features=4, rate=0.05, drawn=0.0):
    """A linear layer and its use count, with an average, memory, and noise in its loss."""

    def loss(view, batch, key):
        y = view("line", batch["x"] / 128)
        value = jnp.mean((y - view.step * 0.1) ** 2) + drawn * jnp.sum(y) * jax.random.normal(key)
        metrics = {"x": jnp.mean(batch["x"]), "step": view.step}
        return value, Aux(metrics, memory={"sum": view.memory["sum"] + jnp.mean(batch["x"])})

    def extra(view, batch, key):
        return jnp.mean(view("head", view("line", batch["x"] / 128)) ** 2), Aux()

    nets = {"line": Net(nn.Dense(features), optax.adam(rate), ema_decay=0.5)}
    phases = [Phase("fit", ("line",), loss), Phase("lazy", ("line",), loss, every=4)]
    if name != "first":
        nets["head"] = Net(nn.Dense(1), optax.sgd(0.1))
        phases.append(Phase("head", ("head",), extra))

    def init(modules, key, batch):
        first = {"line": modules["line"].init(key, batch["x"])}
        if name != "first":
            first["head"] = modules["head"].init(jax.random.fold_in(key, 1), jnp.zeros((1, features)))
        return first

    return Method(
        name, nets, tuple(phases), init, None, lambda view, batch, key: {"x": batch["x"][:, 0]},
        memory=lambda key, batch: {"sum": jnp.zeros(())},
    )  # fmt: skip


def experiment(steps=20, first=8, stages=None, **settings):
    stages = stages or (
        Stage("pretrain", method("first", drawn=0.1), first, data=numbers("low"), batch_size=8),
        Stage("play", method("second", drawn=0.1)),
    )
    return Experiment(
        stages=stages, data=numbers("high", 100),
        schedule=Schedule(steps, log_every=2, sample_every=100, checkpoint_every=3), batch_size=4, seed=3, **settings,
    )  # fmt: skip


def run(path, own=None, **options):
    said, folder = io.StringIO(), RunFolder(path)
    if not folder.exists:
        folder.create({})
    trainers = (own or experiment()).trainers(make_mesh())
    console = Console(file=said, width=1000)
    return train(trainers, folder, lambda path, samples: None, console, **options), said.getvalue()


def rows(path):
    return [json.loads(row) for row in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    return path, *run(path)


def test_a_stage_has_its_own_data_size_and_count_of_steps_and_says_what_it_began_anew(whole):
    path, state, said = whole
    assert int(state.step) == 20
    assert int(state.start) == 8
    assert "Stage 'play' begins nets/head/params/bias and 1 more anew: the stage before has no such array." in said
    found = rows(path)
    assert [row["fit/step"] for row in found] == [1, 3, 5, 7, 1, 3, 5, 7, 9, 11]
    assert all(row["fit/x"] < 16 for row in found[:4])
    assert all(row["fit/x"] > 99 for row in found[4:])
    assert "head/loss" not in found[3]
    assert "head/loss" in found[4]
    before, after = (row["images_per_second"] for row in (found[2], found[6]))
    assert before > 0 < after
    assert json.loads((path / "stages.json").read_text()) == {"play": 8}


def test_a_lazy_phase_counts_from_the_stage_s_start(tmp_path):
    run(tmp_path / "run", experiment(steps=16, first=6))
    assert [row.get("lazy/step") for row in rows(tmp_path / "run")] == [0, None, 4, 0, None, 4, None, 8]


def test_a_stage_s_data_begin_with_it(tmp_path):
    """The second of two stages on the same data reads, from its first step on, what the first one read."""
    stages = (Stage("one", method("first"), 4), Stage("two", method("first")))
    run(tmp_path / "run", experiment(steps=8, stages=stages))
    seen = [row["fit/x"] for row in rows(tmp_path / "run")]
    assert seen[:2] == seen[2:]


def test_what_agrees_by_name_shape_and_type_passes_on_and_optimizers_begin_anew(tmp_path):
    stages = (Stage("one", method("first", rate=0.1), 4), Stage("two", method("first", rate=0.0)))
    state, said = run(tmp_path / "run", experiment(steps=6, stages=stages))
    one, _ = run(tmp_path / "one", experiment(steps=6, stages=(stages[0], Stage("two", stages[1].method, 2))))
    chex.assert_trees_all_equal(state, one)
    alone, _ = run(tmp_path / "alone", experiment(steps=4, stages=(dataclasses.replace(stages[0], steps=None),)))
    chex.assert_trees_all_equal(state.nets["line"].params, alone.nets["line"].params)
    assert state.memory["sum"] > alone.memory["sum"] > 0
    assert state.nets["line"].opt_state[0].count == 3  # two steps and a lazy phase of the new Adam
    assert "anew" not in said


def test_an_average_goes_on_and_one_that_was_not_kept_begins_at_the_parameters():
    def ends(value, ema):
        w, kept = ({"w": jnp.full(3, x)} for x in (value, value + 0.5))
        return TrainState(0, 0, {"line": NetState(w, {}, None, kept if ema else None)})

    for before, after, expected in [(True, True, 1.5), (False, True, 1.0), (True, False, None)]:
        net = carry_over(ends(1.0, before), ends(9.0, after)).nets["line"]
        assert float(net.params["w"][0]) == 1.0
        assert (net.ema if net.ema is None else float(net.ema["w"][0])) == expected


@pytest.mark.slow
def test_a_carry_of_one_s_own(tmp_path):
    def doubled(old, fresh):
        nets = {
            "line": dataclasses.replace(fresh.nets["line"], params=jax.tree.map(lambda x: 2 * x, old.nets["line"].ema))
        }
        return dataclasses.replace(carry_over(old, fresh), nets=nets)

    still = method("first", rate=0.0)
    stages = (Stage("one", method("first"), 4), Stage("two", still, 2, carry=doubled))
    state, _ = run(tmp_path / "run", experiment(steps=6, stages=stages))
    alone, _ = run(tmp_path / "alone", experiment(steps=4, stages=(Stage("one", method("first")),)))
    chex.assert_trees_all_equal(state.nets["line"].params, jax.tree.map(lambda x: 2 * x, alone.nets["line"].ema))


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(3, id="in the first", marks=pytest.mark.slow),
        pytest.param(8, id="at the boundary"),
        pytest.param(11, id="in the second", marks=pytest.mark.slow),
    ],
)
def test_a_run_stopped_anywhere_goes_on_bit_for_bit(whole, tmp_path, step, monkeypatch):
    seen = []

    def stop(self, *args, **kwargs):
        seen.append(1)
        if len(seen) == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, *args, **kwargs)

    from jaxgen.training.trainer import Trainer

    original = Trainer.program
    monkeypatch.setattr(Trainer, "program", stop)
    with contextlib.suppress(KeyboardInterrupt):
        run(tmp_path / "run")
    monkeypatch.undo()
    state, said = run(tmp_path / "run")
    assert "Resuming at step" in said
    chex.assert_trees_all_equal(state, whole[1])
    for part, row in zip(rows(tmp_path / "run"), rows(whole[0]), strict=True):
        same = {name: row[name] for name in part if name != "images_per_second"}
        assert same.items() <= part.items()
        missing = {name.partition("/")[0] for name in row.keys() - part.keys()}
        assert missing <= {"lazy"}  # which was due in the part of the row that was lost


def test_only_the_last_stage_may_become_longer_and_a_stage_that_is_gone_is_a_sentence(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    state, said = run(tmp_path / "run", experiment(steps=24))
    assert int(state.step) == 24
    assert "Resuming at step 20 of 24, in stage play." in said
    with pytest.raises(UserError, match="in a stage named 'play', which the experiment has not; it has pretrain,"):
        run(tmp_path / "run", experiment(steps=24, stages=(experiment().stages[0], Stage("other", method("second")))))


def test_stages_that_do_not_fit_are_sentences():
    one, two = method("first"), method("second")
    for stages, message in [
        ((Stage("a", one, 4), Stage("a", two)), "stages: two are named 'a'; rename one"),
        ((Stage("a", one), Stage("b", two)), "steps is None in stage 'a'; make it a positive multiple"),
        ((Stage("a", one, 20), Stage("b", two)), "steps is 20, of which the stages before 'b' take 20"),
        ((Stage("a", one, 4, batch_size=0), Stage("b", two)), "batch_size of stage 'a' is 0"),
    ]:
        with pytest.raises(UserError, match=message):
            experiment(stages=stages)
    with pytest.raises(UserError, match="either a method or stages"):
        experiment(method=method("first"))
    with pytest.raises(UserError, match="sharding pattern 'nothing' matches no array of any stage"):
        experiment(sharding={"nothing": P()}).trainers(make_mesh())
    trainers = experiment(sharding={"head/params/kernel": P()}).trainers(make_mesh())  # in the second alone
    assert [list(trainer.sharding) for trainer in trainers] == [[], ["head/params/kernel"]]


@pytest.mark.slow
def test_early_stopping_ends_a_stage_with_its_best_state_and_the_run_goes_on(tmp_path):
    """The first stage's figure is best after its fourth step: from there the second begins, at the eighth."""

    def evaluate(view, batch, key):
        return {"worse": jnp.full(len(batch["x"]), jnp.abs(view.step - 4.0))}

    one = dataclasses.replace(method("first"), evaluate=evaluate)
    rule = EarlyStopping("worse", every=2, patience=2)
    stages = (Stage("one", one, 16, early_stopping=rule), Stage("two", method("first", rate=0.0)))
    state, said = run(tmp_path / "run", experiment(steps=20, stages=stages))
    assert "worse on validation examples was best at step 4 of 8" in said
    assert (int(state.step), int(state.start)) == (12, 8)  # its own 4 steps after the early end
    alone, _ = run(tmp_path / "alone", experiment(steps=4, stages=(Stage("one", one),)))
    chex.assert_trees_all_equal(state.nets["line"].params, alone.nets["line"].params)
    again, _ = run(tmp_path / "run", experiment(steps=20, stages=stages))
    chex.assert_trees_all_equal(again, state)


def test_a_checkpoint_names_its_stage_and_one_without_is_a_sentence(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    newest = tmp_path / "run" / "checkpoints" / "20"
    assert json.loads(next((newest / "stage").glob("*")).read_text()) == {"name": "play", "first_step": 8}
    for step in (tmp_path / "run" / "checkpoints").glob("[0-9]*"):
        shutil.rmtree(step / "stage")
    with pytest.raises(UserError, match="was written by an earlier version of jaxgen, which knew no stages"):
        run(tmp_path / "run")


FORMER = Path(__file__).parent / "former_layout.zip"  # a run of `line.py` as it was written before there were stages
LINE = """
import dataclasses
import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
from jaxgen import Aux, Experiment, Method, Net, Phase, Schedule
from jaxgen.data.source import Dataset, Memory, Source

@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 4
    batch_size: int = 4
    learning_rate: float = 0.1
    seed: int = 0

def experiment(config):
    x = np.arange(8, dtype=np.float32)[:, None]
    source = Source("numbers", "train", lambda: {"x": x[:1]}, lambda: Memory({"x": x}))
    method = Method(
        "line",
        {"line": Net(nn.Dense(1), optax.sgd(config.learning_rate))},
        (Phase("line", ("line",), lambda view, batch, key: (jnp.mean(view("line", batch["x"]) ** 2), Aux())),),
        lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
        None,
        lambda view, batch, key: {"error": view("line", batch["x"])[:, 0] ** 2},
    )
    return Experiment(
        method=method, data=Dataset(source, source), schedule=Schedule(config.steps, 2, 2, 2),
        batch_size=config.batch_size, seed=config.seed,
    )
"""


def test_a_run_of_the_former_layout_is_refused_in_one_sentence_and_left_as_it_is(jaxgen, tmp_path, capsys):
    shutil.unpack_archive(FORMER, tmp_path)
    folder, own = tmp_path / "run", tmp_path / "line.py"
    own.write_text(LINE)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "file": str(own)}))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for command in (["train", own, "--run-dir", folder], ["eval", folder]):
        assert jaxgen(*command) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "was written by an earlier version, which named experiments and data otherwise; train it anew" in said
        assert "Traceback" not in said
    assert {path: path.read_bytes() for path in before} == before


def test_networks_start_from_another_run_which_may_then_be_deleted(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "source")
    line = dataclasses.replace(method("first", rate=0.0).nets["line"], start=from_run(tmp_path / "source", "line"))
    own = dataclasses.replace(method("first", rate=0.0), nets={"line": line})
    begun = functools.partial(experiment, stages=(Stage("train", own),))
    state, _ = run(tmp_path / "run", begun(steps=2))
    chex.assert_trees_all_equal(state.nets["line"].params, whole[1].nets["line"].ema)
    chex.assert_trees_all_equal(state.nets["line"].ema, whole[1].nets["line"].ema)
    assert len(json.loads((tmp_path / "run" / "starts.json").read_text())["train"]["line"]) == 64
    shutil.rmtree(tmp_path / "source")
    run(tmp_path / "run", begun(steps=4))
    with pytest.raises(UserError, match=r"start: .*source has no checkpoint that is whole; name the folder of a run"):
        run(tmp_path / "other", begun(steps=4))
    wide = dataclasses.replace(method("first", features=5).nets["line"], start=from_run(whole[0], "line"))
    other = dataclasses.replace(method("first", features=5), nets={"line": wide})
    with pytest.raises(UserError, match="network 'line' cannot start from 'line' of .*: bias, kernel differ in"):
        run(tmp_path / "wide", experiment(stages=(Stage("train", other),)))


@pytest.mark.slow
def test_a_command_begins_with_another_run_s_networks_and_measures_a_stage_of_its_own(jaxgen, tmp_path, capsys):
    own, source, begun = tmp_path / "line.py", tmp_path / "source", tmp_path / "begun"
    own.write_text(LINE)
    assert jaxgen("train", own, "--run-dir", source) == 0
    assert jaxgen("train", own, "--run-dir", begun, "--init-from", source, "--learning-rate", 1e-30, "--seed", 1) == 0
    first, second = (load_run(path).state.nets["line"].params for path in (source, begun))
    chex.assert_trees_all_equal(second, first)
    staged = LINE.replace("method=method,", "stages=(Stage('one', method, 2), Stage('two', method)),")
    staged = staged.replace("Schedule\n", "Schedule, Stage, from_run\n")
    own.write_text(staged.replace("rate))}", "rate), start=from_run('nowhere', 'line'))}"))
    assert jaxgen("train", own, "--run-dir", tmp_path / "other") == 2
    assert "nowhere has no checkpoint that is whole" in " ".join(capsys.readouterr().err.split())
    assert jaxgen("bench", own, "--stage", "one", "--steps", 5, "--json") == 0  # reads no run
    assert jaxgen("compile", own, "--stage", "one", "--topology", "cpu:4") == 0
    assert jaxgen("bench", own, "--stage", "three") == 2
    assert "stage is 'three'; choose one or two." in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_a_run_killed_in_the_middle_at_a_boundary_and_in_a_carry_goes_on_bit_for_bit(whole, tmp_path):
    for moment in ("3", "8", "carry", "13"):
        command = [sys.executable, __file__, str(tmp_path / moment), moment]
        killed = subprocess.run(command, capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        state, _ = run(tmp_path / moment)
        chex.assert_trees_all_equal(state, whole[1])


def main(path, moment):
    """Kills this process by SIGKILL after so many steps, or while a stage is being carried into."""

    def kill(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    from jaxgen.training.trainer import Trainer

    if moment == "carry":
        Trainer.begin = kill
    else:
        original, calls = Trainer.program, []

        def program(self, step):
            calls.append(1)
            return kill() if len(calls) > int(moment) + 1 else original(self, step)

        Trainer.program = program
        save = Checkpoints.save

        def save_at_once(self, *args):
            save(self, *args)
            self.wait()

        Checkpoints.save = save_at_once
    run(path)


if __name__ == "__main__":
    from pathlib import Path

    jax.config.update("jax_num_cpu_devices", 4)
    jax.config.update("jax_disable_most_optimizations", True)
    main(Path(sys.argv[1]), sys.argv[2])
