"""`jaxgen list` reads files and runs none of them."""

import json
import subprocess
import sys

import pytest

from jaxgen import shipped
from jaxgen.commands.list_experiments import describe

EXPERIMENTS = sorted(path for path in shipped.folder().rglob("*.py") if describe(path))

EXPERIMENT = '''"""A model of something,
on two lines.

More of it.
"""
import pathlib

pathlib.Path({marker!r}).touch()
{literals}

class Config:
    steps = 1


def experiment(config):
    return Experiment(method=other(config))
'''
LITERALS = """METHOD = "a method"
NEEDS = ("tfds", "an accelerator")
PAPER: str = "Else, 2020"
MEASURED = {"b": "1.0 | 2", "c": "3.0 " "nats"}
PRESETS = {"a": Config(), "b": Config(steps=2), "other": Config()}
"""


@pytest.fixture
def two(tmp_path):
    """A folder of two experiments, one in a family and silent about itself; it must not run."""
    marker = tmp_path / "it ran"
    (tmp_path / "one.py").write_text(EXPERIMENT.format(marker=str(marker), literals=""))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "two.py").write_text(EXPERIMENT.format(marker=str(marker), literals=LITERALS))
    yield tmp_path
    assert not marker.exists()


def test_no_file_is_run_and_its_literals_are_read(two, jaxgen, capsys):
    assert jaxgen("list", two, "--json") == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    about = "A model of something, on two lines."
    silent = {"family": "", "name": "one", "method": about, "needs": "", "paper": "", "measured": {"": "not yet run"}}
    assert first == silent
    assert second == {
        "family": "inner",
        "name": "two",
        "method": "a method",
        "needs": "tfds, an accelerator",
        "paper": "Else, 2020",
        "measured": {"a": "not yet run", "b": "1.0 | 2", "c": "3.0 nats"},
    }


def test_an_experiment_is_a_line_of_a_terminal(jaxgen, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert jaxgen("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for path in EXPERIMENTS:
        (line,) = [line for line in lines if line.split()[:1] == [path.stem]]
        start = line.removeprefix(path.stem).strip().replace(" …", "  ").split("  ")[0]
        assert len(start) > 5
        assert describe(path).method.startswith(start)


def test_lines_have_the_first_figure_and_one_by_name_has_all(two, jaxgen, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert jaxgen("list", two) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines[1:5]] == [
        "one A model of something, on two lines. not yet run",
        "",
        "inner",
        "two a method 1.0 | 2",
    ]
    assert jaxgen("list", two / "inner" / "two.py") == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "two: a method",
        "",
        "needs tfds, an accelerator",
        "paper Else, 2020",
        "a not yet run",
        "b 1.0 | 2",
        "c 3.0 nats",
    ]
    assert jaxgen("list", "vae") == 0
    out = capsys.readouterr().out
    assert "Kingma & Welling" in out
    assert "bits_per_dim" in out  # of figures.jsonl
    assert max(map(len, out.splitlines())) <= 80
    assert jaxgen("list", "vea") == 2
    assert "did you mean vae?" in capsys.readouterr().err
    assert jaxgen("list", two, "--markdown") == 0
    page = capsys.readouterr().out
    assert "\n## inner\n" in page
    assert (
        "| `two` | a method Else, 2020 | tfds, an accelerator | `a` | not yet run |\n|  |  |  | `b` | 1.0 \\| 2 |\n"
        in page
    )


def test_the_experiments_page_is_what_list_prints(jaxgen, capsys):
    assert jaxgen("list", "--markdown") == 0
    assert capsys.readouterr().out == (shipped.folder() / "README.md").read_text()


NO_EXPERIMENTS = {
    "a script": b"raise SystemExit\n",
    "a test": b"def experiment(): pass\n",
    "settings": b"class Config: pass\n",
    "a mistake": b"class Config: pass\ndef experiment(config:\n",
    "no text": b"\xff\xfe\0",
    "zeros": b"class Config: pass\n\0def experiment(c): pass",
    "deep": b"class Config: pass\ndef experiment(c): pass\nx = " + b"(" * 5000,
    "an unknown encoding": b"# coding: nonsense\nclass Config: pass\ndef experiment(c): pass\n",
    "nothing": b"",
}


def test_what_is_no_experiment_is_passed_over(jaxgen, capsys, tmp_path):
    for name, content in NO_EXPERIMENTS.items():
        (tmp_path / f"{name}.py").write_bytes(content)
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "not there")
    assert jaxgen("list", tmp_path) == 2
    assert "holds no experiments" in capsys.readouterr().err
    (tmp_path / "good.py").write_text("class Config: pass\ndef experiment(c): pass\ny = '\\d'\n")
    assert jaxgen("list", tmp_path) == 0
    out, err = capsys.readouterr()
    assert "good" in out
    assert not any(name in out for name in NO_EXPERIMENTS)
    assert err == ""


def test_hostile_texts_are_printed_as_they_are(jaxgen, capsys, tmp_path):
    (tmp_path / "x.py").write_text(
        '"""A \\x1b[2Jmodel [/] of."""\nfrom somewhere import Config, experiment\nPAPER = "\\u202e[red]"\n'
    )
    out = ""
    for what in (tmp_path, tmp_path / "x.py"):
        assert jaxgen("list", what) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert r"A \x1b[2Jmodel [/] of." in out
    assert r"\u202e[red]" in out


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_says_what_it_is(path):
    found = describe(path)
    assert found.method
    assert found.paper
    assert "" not in found.measured  # data sets are named


def test_listing_imports_no_array_library():
    code = (
        "import sys; from jaxgen import cli; cli.run(['list']);"
        "print(sorted({'jax', 'numpy', 'torch', 'tensorflow', 'flax'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "[]\n"
