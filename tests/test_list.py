"""`jaxgen list` reads files and runs none of them."""

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
    """Of a measured thing."""
    measured = "1.0 ± 0.1 (3 seeds)" " and more"
    return Experiment(method=other(paper=config), paper="Somebody, 2014", measured=measured)
'''
LITERALS = 'METHOD = "a method"\nNEEDS = ("tfds", "an accelerator")\nPAPER: str = "Else, 2020"\nMEASURED = "2.0"'


def test_no_file_is_run_and_its_texts_are_read(jaxgen, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    marker = tmp_path / "it ran"
    (tmp_path / "one.py").write_text(EXPERIMENT.format(marker=str(marker), literals=""))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "two.py").write_text(EXPERIMENT.format(marker=str(marker), literals=LITERALS))
    assert jaxgen("list", tmp_path) == 0
    out = capsys.readouterr().out
    assert not marker.exists()
    one, two = (next(line for line in out.splitlines() if name in line) for name in (" one ", "inner/two"))
    for text in ("A model of something, on two lines.", "Somebody, 2014", "1.0 ± 0.1 (3 seeds) and more"):
        assert text in one
    for text in ("a method", "tfds, an accelerator", "Else, 2020", "2.0"):
        assert text in two


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
    assert jaxgen("list", tmp_path) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"A \x1b[2Jmodel [/] of." in out
    assert r"\u202e[red]" in out


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_says_what_it_is(path):
    found = describe(path)
    assert [name for name in ("method", "paper", "measured") if not found[name]] == []


def test_listing_imports_no_array_library():
    code = (
        "import sys; from jaxgen import cli; cli.run(['list']);"
        "print(sorted({'jax', 'numpy', 'torch', 'tensorflow', 'flax'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "[]\n"
