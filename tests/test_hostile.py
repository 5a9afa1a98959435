"""Input from strangers: command lines are refused in a sentence, and a folder's contents are data, never code."""

import ast
import contextlib
import io
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jaxgen import cli
from jaxgen.shipped import find

ROOT = Path(__file__).parent.parent
VAE = str(find("vae"))
SMALL = ["--steps", "20", "--hidden", "8", "--latent-size", "2", "--batch-size", "32"]
UNPICKLERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "yaml", "jsonpickle"}


@pytest.mark.parametrize("path", sorted((ROOT / "jaxgen").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_unpickles(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & UNPICKLERS
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in UNPICKLERS
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", None))
            assert called not in ("eval", "exec")
            assert "allow_pickle" not in {keyword.arg for keyword in node.keywords}


def run(*args):
    """The command in this process: exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["jaxgen", *args]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
            cli.main()
    finally:
        sys.argv = before
    return stop.value.code or 0, out.getvalue(), err.getvalue()


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
JUNK = WORDS.map(lambda word: f"z{word}")  # no number, no option, no choice
NOT_INTEGERS = st.one_of(JUNK, st.floats().map(str), st.just(""), st.just("1_0_"), st.just("0x"))
TOO_SMALL = st.integers(-(10**30), 0).map(str)
OPTIONS = st.from_regex(r"--[a-z]{3,8}-zz[a-z-]{0,8}", fullmatch=True)  # of no command
MISSING = st.from_regex(r"no_such/[a-z]{1,12}(\.py)?", fullmatch=True)
FILE_COMMANDS = st.sampled_from(["train", "bench"])
RUN_COMMANDS = st.sampled_from(["eval", "sample"])


def lines(*parts):
    """Command lines: each part a strategy or a word."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map(list)


POSITIVE = st.sampled_from(["--steps", "--batch-size", "--steps-per-call", "--mesh.data", "--mesh.fsdp"])
NUMBERS = st.sampled_from(["--steps", "--batch-size", "--hidden", "--seed", "--learning-rate", "--mesh.tensor"])
BAD = st.one_of(
    lines(WORDS.filter(lambda w: w not in cli._COMMANDS and w not in ("-h", "--help", "--version"))),
    lines(FILE_COMMANDS, MISSING),
    lines(FILE_COMMANDS, OPTIONS),
    lines(FILE_COMMANDS, VAE, OPTIONS),
    lines(FILE_COMMANDS, VAE, OPTIONS, WORDS),
    lines(FILE_COMMANDS, VAE, JUNK),
    lines(FILE_COMMANDS, VAE, NUMBERS, JUNK),
    lines("train", VAE, "--steps", NOT_INTEGERS),
    lines(FILE_COMMANDS, VAE, NUMBERS),
    lines(FILE_COMMANDS, VAE, POSITIVE, TOO_SMALL),
    lines("train", VAE, "--seed", st.integers(-(10**30), -1).map(str)),
    lines("train", VAE, "--checkpoint-every", TOO_SMALL),
    lines("train", VAE, "--on-nonfinite", JUNK),
    lines("train", VAE, "--batch-size", st.sampled_from(["1438", "9" * 12, "9" * 30])),
    lines("train", VAE, "--mesh.data", st.sampled_from(["5", "9" * 12, "9" * 30])),
    lines("train", VAE, "--data-dir", MISSING),
    lines(RUN_COMMANDS, MISSING),
    lines(RUN_COMMANDS, st.sampled_from(["tests", "jaxgen/losses", "pyproject.toml", "."])),
    lines(RUN_COMMANDS),
    lines(RUN_COMMANDS, MISSING, OPTIONS),
    lines(RUN_COMMANDS, MISSING, JUNK),
    lines("sample", MISSING, "--count", TOO_SMALL),
    lines("sample", MISSING, "--count", NOT_INTEGERS),
    lines("sample", MISSING, "--out", JUNK),
    lines("list", MISSING),
    lines("list", OPTIONS),
)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(BAD)
def test_bad_command_lines_are_one_sentence(args):
    code, out, err = run(*args)
    assert code == 2, (args, out, err)
    assert err.startswith("jaxgen: ")
    assert err.count("\n") == 1, err
    assert err.rstrip().endswith((".", "?"))
    assert not re.search("Traceback|---|─", out + err)  # nor a piece of a frame


@pytest.mark.parametrize(
    "args",
    [["tr\u00e4in"], ["train", VAE, "--steps", "x" * 5000], ["sample", "\udcff"], ["list", "nowhere"]],
    ids=["command", "long", "undecodable", "missing"],
)
def test_bad_command_lines_are_one_sentence_in_a_process_of_their_own(args):
    done = subprocess.run([sys.executable, "-m", "jaxgen", *args], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.startswith("jaxgen: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


class Explosive:
    """What a stranger hopes will be unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strange") / "run"
    assert run("train", VAE, *SMALL, "--run-dir", str(folder))[0] == 0
    return folder


@pytest.fixture
def strange(trained, tmp_path):
    """A copy of a run, and the file that any of its code would leave behind."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run", tmp_path / "it ran"


def config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_checkpoint_of_pickles_is_refused_and_not_loaded(strange):
    folder, marker = strange
    content = pickle.dumps(Explosive(marker))
    pickle.loads(content)
    assert marker.exists()  # it would have worked
    marker.unlink()
    for path in (folder / "checkpoints" / "20").rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    for args in (["eval", str(folder)], ["train", VAE, *SMALL, "--run-dir", str(folder)]):
        code, _, err = run(*args)
        assert code == 2
        assert "is whole (step 20:" in err
    assert not marker.exists()


def test_names_of_code_in_a_checkpoint_are_not_followed(strange):
    folder, marker = strange
    metadata = folder / "checkpoints" / "20" / "_CHECKPOINT_METADATA"
    handlers = {"state": "os.system", "checksums": f"pathlib.Path({str(marker)!r}).touch"}
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "item_handlers": handlers}))
    arrays = folder / "checkpoints" / "20" / "state" / "_METADATA"
    arrays.write_text(arrays.read_text().replace("jax.Array", "os.system"))
    (folder / "sitecustomize.py").write_text(f"open({str(marker)!r}, 'w')")
    code, _, err = run("sample", str(folder), "--out", str(folder / "grid.png"))
    assert code in (0, 2)
    assert "Traceback" not in err
    assert not marker.exists()


def test_code_beside_a_run_is_not_run_until_the_user_names_it(strange):
    folder, marker = strange
    beside = folder.parent / "experiment.py"
    beside.write_text(f"open({str(marker)!r}, 'w')\n{Path(VAE).read_text()}")
    config(folder, file=str(beside))
    code, _, err = run("eval", str(folder))
    assert code == 2
    assert f"wants to run {beside}, which nobody named on a command line here" in err
    assert not marker.exists()
    assert run("train", str(beside), "--help")[0] == 0
    assert marker.exists()
    assert run("eval", str(folder))[0] == 0


@pytest.mark.parametrize(
    "values",
    [
        {"file": 7},
        {"file": "\0"},
        {"file": ["a"]},
        {"config": "hidden"},
        {"config": {"hidden": "__import__('os')"}},
        {"config": {"hidden": [8]}},
        {"config": {"__class__": 1}},
        {"config": {"no such field": 1}},
        {"experiment": None},
        {"started": {}},
    ],
    ids=repr,
)
def test_strange_settings_are_one_sentence(strange, values):
    folder, _ = strange
    config(folder, **values)
    code, _, err = run("eval", str(folder))
    assert code == 2
    assert err.count("\n") == 1, err
    assert "Traceback" not in err


def test_settings_that_are_no_json_are_one_sentence(strange):
    folder, _ = strange
    for content in (b"", b"\xff\xfe", b"[" * 100_000, b"[]", b"null"):
        (folder / "config.json").write_bytes(content)
        code, _, err = run("eval", str(folder))
        assert code == 2
        assert err.count("\n") == 1, err
