"""Arguments as a user gives them: help is never far, and every mistake is one sentence."""

import dataclasses
import io
import json
import os
import platform
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgen.commands.arguments import parse, with_options
from jaxgen.commands.options import DataOptions, FeatureOptions
from jaxgen.commands.tables import samples_table
from jaxgen.console import Console
from jaxgen.errors import UserError
from jaxgen.shipped import find

COMMANDS = [
    "train",
    "eval",
    "compare",
    "sample",
    "export",
    "compress",
    "decompress",
    "bench",
    "compile",
    "list",
    "figures",
]
VAE = str(find("vae"))


def test_list_shows_every_experiment(jaxgen, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert jaxgen("list") == 0
    printed = capsys.readouterr().out
    for name in ("vae", "gan_1d"):
        assert name in printed


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--help"],
        ["--version"],
        ["--version", "--json"],
        *[[command, "--help"] for command in COMMANDS],
    ],
)
def test_help_is_never_far(args, jaxgen, capsys):
    assert jaxgen(*args) == 0
    assert "jaxgen" in capsys.readouterr().out


def test_a_figure_s_name_is_whole_at_80_columns():
    names = ["classifier_frechet_distance", "nearest_training_distance", "precision"]
    figures = {name: {"mean": 123.45678, "standard_deviation": 1.23456} for name in names}
    about = {"samples": 9, "examples": 9, "split": "test", "training_examples": 9, "training_split": "train"}
    samples = {**about, "features": "pixels", "figures": figures, "untrained": figures, "training_images": figures}
    console = Console(width=80, file=io.StringIO())
    console.print(samples_table(samples))
    assert all(name in console.file.getvalue() for name in names)


def test_fields_are_named_as_options_of_the_command_alone():
    parse(FeatureOptions, [], "jaxgen eval")  # which has no --skip-bad
    parse(dataclasses.make_dataclass("Own", [("skip_bad", bool, False), ("channels", int, 3)]), [], "jaxgen train")
    for python, command in (
        ("a/skip_bad.png is empty; mend it, or set skip_bad.", "a/skip_bad.png is empty; mend it, or set --skip-bad."),
        ("channels is 2; give channels=1 or channels=3.", "--channels is 2; give --channels 1 or --channels 3."),
        (
            "runs/a/size=3,channels=1 is damaged; give channels=3.",
            "runs/a/size=3,channels=1 is damaged; give --channels 3.",
        ),
        ("x has channels first and bits_per_dim.", "x has channels first and bits_per_dim."),
    ):
        assert with_options(python) == command


def test_a_bug_report_has_versions_devices_and_flags(jaxgen, capsys, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_one=1")
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    assert jaxgen("--version", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["python"] == platform.python_version()
    assert report["devices"] == ["cpu"] * len(jax.devices())
    packages = report["packages"]
    assert (packages["jax"], packages["numpy"]) == (jax.__version__, np.__version__)
    assert {"jaxlib", "tensorboardx", "orbax-checkpoint", "array-record"} <= packages.keys()
    assert report["environment"]["XLA_FLAGS"] == "--xla_one=1"
    assert "SECRET_TOKEN" not in report["environment"]


def test_help_of_an_experiment_shows_its_settings_with_defaults(jaxgen, capsys):
    assert jaxgen("train", VAE, "--help") == 0
    printed = capsys.readouterr().out
    for word in ("--learning-rate", "Adam's step size", "default: 0.001", "--fresh", "--run-dir"):
        assert word in printed


def bad(*args, says):
    return pytest.param(args, says, id=says)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        bad(
            "learn",
            says="command 'learn' is unknown; choose one of train, eval, compare, sample, export, compress,",
        ),
        bad("train", says="EXPERIMENT is missing"),
        bad("train", "experiments/latent/vea.py", says="latent/vea.py does not exist; did you mean"),
        bad("train", "vea", says="no experiment is called 'vea'; did you mean vae?"),
        bad("train", "pyproject.toml", says="no experiment is called 'pyproject.toml'"),
        bad("train", "README", says="'README'; `jaxgen list` shows them all. A file of your own is named with a slash"),
        bad("train", "./experiments", says="experiments is a folder; `jaxgen list"),
        bad("train", "./pyproject.toml", says="is not a Python file"),
        bad("train", "tests/conftest.py", says="needs a dataclass `Config`"),
        bad("trian", says="command 'trian' is unknown; did you mean train?"),
        bad("train", VAE, "--steps", "many", says="--steps is 'many', no whole number; `jaxgen train"),
        bad("train", VAE, "--learning-rate", "fast", says="--learning-rate is 'fast', no number"),
        bad("train", "dcgan", "--learning-rat", "1", says="--learning-rat, 1; did you mean --learning-rate?"),
        bad("train", VAE, "--step-size", "1", says="Unrecognized options: --step-size"),
        bad("train", VAE, "--learnig-rate", "1", says="--learnig-rate, 1; did you mean --learning-rate?"),
        bad("train", VAE, "--data-dir", "README.md", says="--data-dir README.md is not a folder"),
        bad("train", VAE, "--steps", says="Missing value for argument '--steps'"),
        bad("train", VAE, "--seeds", "0,one", says="seeds is '0,one'; write whole numbers with commas between"),
        bad("train", VAE, "--seeds", "0,1,0", says="seeds is '0,1,0', which names one twice; name each once."),
        bad("train", VAE, "--seeds", "0,-1", says="seed is -1; it must be from 0 to 4294967295."),
        bad("train", VAE, "--seed", "5", "--seeds", "0,1", says="--seed is 5 and --seeds is '0,1'; give one of them."),
        bad("compare", "runs/a", "runs/a", says="2 to 26 different runs are compared, and 2 named here"),
        bad("compare", "runs/a", "runs/b", says="runs/a is not a run of jaxgen (it has no config.json); name a folder"),
        bad("compare", "a", "b", "--count", "-1", says="count is -1; it must be at least 0."),
        bad("train", VAE, "--steps", "-5", says="steps is -5; it must be at least 1"),
        bad("train", VAE, "--batch-size", "0", says="--batch-size is 0; it must be at least 1"),
        bad("train", VAE, "--hidden", "0", says="hidden is 0; it must be at least 1"),
        bad("train", VAE, "--learning-rate", "nan", says="--learning-rate is nan; it must be a positive number"),
        bad(
            "train",
            VAE,
            "--batch-size",
            "30",
            says="--batch-size 30 cannot be split evenly over the mesh's 4 data shards",
        ),
        bad("train", VAE, "--batch-size", "2000", says="--batch-size 2000 exceeds the 1437 examples of digits"),
        bad("train", VAE, "--seed", "-1", says="seed is -1; it must be from 0 to 4294967295"),
        bad("train", VAE, "--seed", str(2**63), says="seed is 9223372036854775808; it must be from 0 to"),
        bad("train", VAE, "--steps", "3000000000", says="steps is 3000000000; it must be at most 2147483647"),
        bad(
            "train",
            VAE,
            "--steps-per-call",
            "7",
            says="is not a multiple of the 7 steps of a compiled call",
        ),
        bad("train", VAE, "--run-dir", "/proc/nowhere", says="run folder /proc/nowhere cannot be written"),
        bad("train", VAE, "--run-dir", "tests", says="folder tests is not a run of jaxgen"),
        bad("train", VAE, "--run-dir", "tests", "--fresh", says="folder tests is not a run of jaxgen (it has no"),
        bad("train", VAE, "--run-dir", "pyproject.toml", says="pyproject.toml"),
        bad("eval", "nowhere", says="run folder nowhere does not exist"),
        bad("eval", "README.md", says="run folder README.md is not a folder"),
        bad("eval", "tests", says="folder tests is not a run of jaxgen (it has no config.json)"),
        bad("eval", says="Missing"),
        bad("sample", "nowhere", says="run folder nowhere does not exist"),
        bad("sample", "nowhere", "--count", "0", says="count is 0; it must be at least 1"),
        bad("sample", "nowhere", "--seed", str(2**63), says="seed is 9223372036854775808; it must be from 0 to"),
        bad("train", VAE, "--run-dir", "a[b]", says="a[b]/checkpoints has one of [ * ? \\ in its name"),
        bad("sample", "nowhere", "--out", "grid.gif", says="must end in .png, .npz, .txt or .wav"),
        bad("sample", "nowhere", "--out", "no/where.png", says="folder no does not exist"),
        bad("sample", "nowhere", "--temperature", "1,-2", says="temperature is '1,-2'; write positive numbers"),
        bad("sample", "nowhere", "--truncation", "two", says="truncation is 'two'; write positive numbers"),
        bad("sample", "nowhere", "--interpolate", "1", says="interpolate is 1; it must be at least 2"),
        bad("sample", "nowhere", "--arithmetic", "8+-3", says="arithmetic is '8+-3'; write classes with + and -"),
        bad("sample", "nowhere", "--classes", "a", says="classes is 'a'; write whole numbers"),
        bad("sample", "x", "--neighbors", "--temperature", "2", says="--temperature and --neighbors both say"),
        bad("bench", VAE, "--steps", "0", says="steps is 0"),
        bad("bench", VAE, "--sweep", "1,five", says="sweep is '1,five'; write whole numbers"),
        bad("bench", VAE, "--sweep", "5", says="sweep holds 5 but there are 4 devices"),
        bad(
            "bench",
            VAE,
            "--against",
            "nowhere.json",
            says="against is nowhere.json, which cannot be read",
        ),
        bad("bench", VAE, "--against", "pyproject.toml", says="which is not what `jaxgen bench --json` prints"),
        bad(
            "bench", VAE, "--sweep", "1,3", says="--batch-size 64 cannot be split evenly over the mesh's 3 data shards"
        ),
        bad("bench", VAE, "--profile", "pyproject.toml", says="profile is pyproject.toml, which cannot be a folder"),
        bad("train", VAE, "--distributed", "off", "--coordinator", "a:1", says="distributed is off, and coordinator"),
        bad(
            *("train", VAE, "--coordinator", "http://a:1", "--num-processes", "1", "--process-id", "0"),
            says="coordinator is 'http://a:1'; it must be HOST:PORT",
        ),
        bad("compile", says="EXPERIMENT is missing"),
        bad("compile", VAE, says="topology is missing; name the chips, as in `--topology v5e:4x4`"),
        bad("compile", VAE, "--topology", "v5e", says="topology is 'v5e'; write it as v5e:16x16"),
        bad("compile", VAE, "--topology", "cpu:4", "--sweep", "1;2", says="sweep is '1;2'; write whole numbers"),
        bad("compile", VAE, "--topology", "cpu:4", "--batch-size", "6", says="--batch-size 6 cannot be split evenly"),
        bad("compile", VAE, "--topology", "cpu:4", "--mesh.fsdp", "3", says="mesh.fsdp 3 times mesh.tensor 1 does not"),
        bad(
            *("compile", VAE, "--topology", "cpu:4", "--batch-size", "6", "--sweep", "1,2"),
            says="--batch-size 6 gives the 4 devices of cpu:4 no whole number each",
        ),
        bad("list", "tests/losses/nothing", says="tests/losses/nothing is no experiment"),
    ],
)
def test_bad_input_is_one_sentence(args, says, jaxgen, monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parent.parent)
    files = set(Path().glob("*"))
    assert jaxgen(*args) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("jaxgen: ")
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err + printed.out
    assert set(Path().glob("*")) == files


def test_pictures_are_no_folder_of_prepared_sets(jaxgen, capsys, tmp_path):
    for where in (tmp_path, tmp_path / "class"):
        where.mkdir(exist_ok=True)
        (where / "one.PNG").touch()
        assert jaxgen("train", VAE, "--data-dir", where, "--run-dir", tmp_path / "run") == 2
        says = "which holds pictures, such as one.PNG, and no prepared TFDS sets; train on them by `--data"
        assert capsys.readouterr().err == f"jaxgen: --data-dir is {where}, {says} {where}`.\n"
        (where / "one.PNG").unlink()
    (tmp_path / "class" / "one.jpeg").touch()
    with pytest.raises(UserError, match="holds pictures, such as one.jpeg"):
        DataOptions(data_dir=tmp_path).apply()


def test_pictures_beside_prepared_sets_are_no_matter(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", "")
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    (tmp_path / "mnist" / "3.0.1" / "dataset_info.json").touch()
    (tmp_path / "one.png").touch()
    DataOptions(data_dir=tmp_path).apply()
    assert os.environ["TFDS_DATA_DIR"] == str(tmp_path)


def test_a_missing_data_set_is_one_sentence(jaxgen, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert jaxgen("train", "vae", "--data", "mnist", "--run-dir", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "'mnist' is not prepared" in error
    assert "--data-dir" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import no_such_library", "experiment {} cannot be imported (No module named 'no_such_library'); install"),
        ("from jaxgen.errors import Nothing", "experiment {} cannot be imported (cannot import name 'Nothing' from"),
        ("open('no such file')", "no such file cannot be used (No such file or directory); mend or allow it, or"),
        ("raise OSError('not a NumPy file')", "input or output failed (not a NumPy file); mend that, and run the"),
    ],
)
def test_an_experiment_that_lacks_something_is_one_sentence(line, says, jaxgen, capsys, tmp_path):
    file = tmp_path / "lacking.py"
    file.write_text(line)
    assert jaxgen("train", file) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"jaxgen: {says.format(file)}")
    assert error.count("\n") == 1
