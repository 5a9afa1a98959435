"""Mistakes in an experiment's file and in its numbers are one sentence, and leave nothing behind (FAULTS 23 and 24)."""

import json
import os
from pathlib import Path

import pytest

EXPERIMENT = (Path(__file__).parent / "line_experiment.py").read_text()
MISTAKES = {
    "nothing": ("    return Experiment(", "    Experiment(", "experiment(Config) of {} returns NoneType; let it"),
    "no default": ("steps: int = 20", "steps: int", "experiment file {}: Config.steps has no default; give it one."),
    "run_dir": ("hidden: int = 4", "hidden: int = 4\n    run_dir: str = ''", "Config of {} has a field 'run_dir', wh"),
    "mesh": ("hidden: int = 4", "hidden: int = 4\n    mesh: int = 1", "has a field 'mesh', which is an option of"),
    "no phases": ('(Phase("fit", ("line",), loss),)', "()", "phases of line is empty; give it one at least."),
    "wrong type": ("hidden: int = 4", "hidden: int = 'four'", "hidden"),
    "wrong seed": ("seed=0)", "seed='0')", "experiment {} fails in line {} (TypeError: '<=' not"),
    "wrong net": ("nn.Dense(config.hidden)", "nn.Dens(config.hidden)", "experiment {} fails in line {} (AttributeE"),
    "metric": ("jnp.zeros(())", "jnp.zeros(3)", "phase 'fit' returns metric of shape [3]; return a number"),
    "loss": ("jnp.mean(", "(", "phase 'fit' returns loss of shape [8, 4]; return a number"),
    "figure": ("[:, 0]}", ".mean()}", "evaluate: line returns error of shape [] for a batch of 8; return a number"),
    "short figure": ("[:, 0]}", "[:3, 0]}", "evaluate: line returns error of shape [3] for a batch of 8; return a num"),
    "exit": ("import dataclasses", "import dataclasses, sys\nsys.exit(0)", "experiment {} ends Python, with code 0"),
    "exit 3": ("import dataclasses", "import dataclasses, os\nraise SystemExit('bye')", "ends Python, with code 'bye'"),
    "name": ("import dataclasses", "import dataclasses\nnothing", "experiment {} fails in line {} (NameError: name"),
    "syntax": ("import dataclasses", "import", "experiment {} has a syntax error in line "),
    "module": ("import dataclasses", "import no_such", "experiment {} cannot be imported (No module named"),
    "bytes": ("import dataclasses", "import dataclasses\0", "experiment {}"),
}  # fmt: skip


def refused(jaxgen, capfd, folder, *args):
    """The sentence of a command that does nothing but say it."""
    run = folder / "run"
    code = jaxgen("train", *args, "--run-dir", run)
    error = capfd.readouterr().err
    assert code == 2
    assert error.startswith("jaxgen: ")
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    return error.removeprefix("jaxgen: ")


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_an_experiment_is_one_sentence(name, jaxgen, capfd, tmp_path):
    old, new, message = MISTAKES[name]
    assert EXPERIMENT.count(old) == 1
    file = tmp_path / "own.py"
    text = EXPERIMENT.replace(old, new)
    file.write_text(text)
    line = 1 + text[: text.index(new)].count("\n") + new.count("\n")
    assert message.format(file, line) in refused(jaxgen, capfd, tmp_path, file)
    assert name in ("metric", "loss") or not (tmp_path / "run").exists()


def test_figures_that_raise_do_so_before_anything_is_made(jaxgen, tmp_path):
    """FAULTS 14."""
    (tmp_path / "own.py").write_text(EXPERIMENT.replace("[:, 0]}", "[:, 0] + 1 / 0}"))
    with pytest.raises(ZeroDivisionError):
        jaxgen("train", tmp_path / "own.py", "--run-dir", tmp_path / "run")
    assert not (tmp_path / "run").exists()


DRAW = """import dataclasses
import os


def draw(step):
    from jaxgen.report.figure import new_figure

    if "BROKEN" in os.environ:
        raise ZeroDivisionError
    return new_figure(1, 1)

"""


def test_a_run_survives_what_raises_after_its_last_step(jaxgen, monkeypatch, tmp_path):
    """FAULTS 14: once that is mended, the same command goes on from there."""
    text = EXPERIMENT.replace("import Aux, Method", "import Aux, Drawing, Method").replace("import dataclasses", DRAW)
    text = text.replace(
        "batch_size=8, seed=0)", 'batch_size=8, seed=0, drawings={"d": Drawing(lambda v: v.step, draw)})'
    )
    (tmp_path / "own.py").write_text(text)
    run, command = tmp_path / "run", ("train", tmp_path / "own.py", "--run-dir", tmp_path / "run")
    monkeypatch.setenv("BROKEN", "1")
    with pytest.raises(ZeroDivisionError):
        jaxgen(*command)
    assert (run / "checkpoints" / "20").exists()
    rows = (run / "metrics.jsonl").read_text()
    monkeypatch.delenv("BROKEN")
    assert jaxgen(*command) == 0
    assert json.loads((run / "eval.json").read_text())["step"] == 20
    assert (run / "metrics.jsonl").read_text() == rows


HUGE = "9" * 400


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--hidden", HUGE], "hidden holds a number of 1329 bits; it must be below 2**63"),
        (["--steps", HUGE], "steps"),
        (["--checkpoint-every", HUGE], "--checkpoint-every is"),
        (["--steps-per-call", HUGE], "--steps-per-call is"),
        (["--mesh.fsdp", HUGE], "mesh"),
        (["--hidden", str(2**62)], ""),
        (["--hidden", "99999999999"], "the networks and their optimizers take "),
        (["--hidden", "9999999999"], "GiB on each device, which has"),
    ],
    ids=lambda x: " ".join(x)[:30] if isinstance(x, list) else "",
)  # fmt: skip
def test_a_number_that_no_machine_can_have_is_one_sentence_before_anything_is_made(
    args, message, jaxgen, capfd, tmp_path
):
    (tmp_path / "own.py").write_text(EXPERIMENT)
    assert message in refused(jaxgen, capfd, tmp_path, tmp_path / "own.py", *args)
    assert not (tmp_path / "run").exists()


def test_a_command_s_steps_per_call_is_checked_and_not_the_experiment_s(jaxgen, capfd, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(EXPERIMENT)
    pace = ["--steps", 25, "--steps-per-call", 5, "--checkpoint-every", 15]
    assert jaxgen("train", file, *pace, "--run-dir", tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 25
    assert jaxgen("bench", file, "--steps", 15, "--steps-per-call", 5, "--json") == 0
    capfd.readouterr()
    said = refused(jaxgen, capfd, tmp_path / "other", file, "--steps", 25, "--steps-per-call", 4)
    assert (
        "is 25, which is not a multiple of the 4 steps of a compiled call; change it, or give --steps-per-call 1."
        in said
    )
    assert "--steps is 25, which is not a multiple of the 10 steps" in refused(
        jaxgen, capfd, tmp_path, file, "--steps", 25
    )


@pytest.mark.parametrize("cosine", [False, True])
def test_a_run_that_is_made_longer_is_told_of_a_schedule_that_jumps(cosine, jaxgen, capfd, tmp_path):
    """FAULTS 10."""
    (tmp_path / "own.py").write_text(EXPERIMENT)
    args = ["train", tmp_path / "own.py", "--run-dir", tmp_path / "run", *(["--cosine"] if cosine else [])]
    said = []
    for steps in (20, 20, 40, 40):
        assert jaxgen(*args, "--steps", steps) == 0
        said.append("steps was 20 and is 40: this experiment's rates or weights follow a schedule of steps, which jumps"
                    in capfd.readouterr().out)  # fmt: skip
    assert said == [False, False, cosine, False]


def test_a_run_folder_whose_name_is_no_text_is_refused_before_it_is_made(jaxgen, capfd, tmp_path):
    (tmp_path / "own.py").write_text(EXPERIMENT)
    folder = tmp_path / os.fsdecode(b"\xff")
    said = refused(jaxgen, capfd, folder, tmp_path / "own.py")
    assert "/\\udcff/run/checkpoints has bytes in its name that are no text" in said
    assert not folder.exists()
