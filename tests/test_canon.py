"""The figures that the field is taught by: what their captions claim, and the command that makes their page."""

import dataclasses
import itertools
import json
import math
import shlex
from pathlib import Path

import pytest

from jaxgen.commands.arguments import parse_experiment
from jaxgen.commands.figures import canon
from jaxgen.commands.list_experiments import describe
from jaxgen.experiment import ExperimentFile
from jaxgen.report.gallery import Claim
from jaxgen.report.grid import save_png
from jaxgen.settings import config_to_json
from jaxgen.shipped import find

FIGURES = canon()
STORED = json.loads((Path(__file__).parent.parent / "benchmarks" / "results" / "canon.json").read_text())


@dataclasses.dataclass(frozen=True)
class Nothing:
    """No options."""


def test_every_figure_has_a_name_words_and_something_to_show():
    names = [figure.name for figure in FIGURES]
    assert sorted(set(names)) == sorted(names)
    families = [family for family, _ in itertools.groupby(FIGURES, key=lambda figure: figure.family)]
    assert sorted(set(families)) == sorted(families)  # each in one place
    for figure in FIGURES:
        assert describe(find(figure.experiment))
        assert bool(figure.picture) + bool(figure.sampled) + bool(figure.curves) == 1, figure.name
        assert 2 <= figure.text.count(". ") + figure.text.count(": ") + 1 <= 4, figure.name
        assert figure.claims, figure.name
        assert figure.alt, figure.name


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_s_command_is_understood(figure):
    args = [figure.experiment, *shlex.split(figure.options)]
    file, config, _ = parse_experiment(Nothing, args, "jaxgen train")
    drawings = file.build(config).drawings
    assert not figure.picture.startswith("drawings/") or Path(figure.picture).stem in drawings


@pytest.mark.parametrize(
    ("claim", "number", "range_", "holds"),
    [
        (Claim("it", "x", 1.0, 2.0), 2.0, "1 to 2", True),
        (Claim("it", "x", 1.0, 2.0), 2.1, "1 to 2", False),
        (Claim("it", "x", 1.0, 2.0), math.nan, "1 to 2", False),
        (Claim("it", "x", least=1e-3), 1e-4, "at least 0.001", False),
        (Claim("it", "x", most=1200.5), 7.0, "at most 1,200.5", True),
        (Claim("it", "x", most=2.0, of="untrained"), 1.0, "at most 2", False),
    ],
)
def test_a_claim_holds_in_its_range(claim, number, range_, holds):
    assert claim.range == range_
    assert claim.holds({("x", ""): number}) == holds
    assert not claim.holds({})


@pytest.mark.parametrize("name", STORED)
def test_stored_numbers_show_what_captions_claim(name):
    (figure,) = (figure for figure in FIGURES if figure.name == name)
    numbers = STORED[name]["numbers"]
    found = {(claim.figure, claim.of): numbers[f"{claim.of} {claim.figure}".strip()] for claim in figure.claims}
    assert [claim.text for claim in figure.claims if not claim.holds(found)] == []


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """A run of the xy game as training leaves it: `(folder, distance of simultaneous moves, **settings)`."""
    monkeypatch.chdir(tmp_path)
    file = ExperimentFile.load(find("xy_game"))

    def make(where, distance=1.64463, **settings):
        run = Path(where)
        (run / "drawings").mkdir(parents=True)
        config = {
            "experiment": "xy_game",
            "file": str(file.path),
            "config": config_to_json(file.config(**settings)),
            "fingerprint": {},
            "device": "cpu x1",
            "versions": {"jaxgen": "1", "jax": "1"},
            "started": "2026-11-26T10:00:00+00:00",
            "ended": "2026-11-26T10:01:15+00:00",
        }
        (run / "config.json").write_text(json.dumps(config))
        radii = {"simultaneous": distance, "alternating": 0.98562, "extragradient": 0.60807}
        radii |= {"historical averaging": 0.31287}
        figures = {f"{rule}.radius": {"mean": radius, "standard_error": 0.0} for rule, radius in radii.items()}
        (run / "eval.json").write_text(json.dumps({"step": 100, "figures": figures}))
        save_png(run / "drawings" / "paths.png", [[[[0.0]] * 8] * 8])

    return make


def test_a_finished_run_is_taken_where_it_is(finished, jaxgen, capsys):
    finished("runs/xy_game/nothing/another", distance=9.0, seed=1)  # of other settings
    finished("figures/runs/xy_game-0", distance=9.0)  # of other code
    finished("runs/xy_game/nothing/default")
    assert jaxgen("figures", "--only", "xy_game") == 0
    page = Path("figures/index.html").read_text()
    assert "seed 0, cpu x1, jax 1, 2026-11-26 10:01 UTC; 75 s from start to end." in page
    assert page.count("<img") == 1
    stored = json.loads(Path("figures/figures.json").read_text())["xy_game"]
    assert stored["seconds"] == 75
    assert stored["numbers"]["simultaneous.radius"] == 1.64463
    assert len(list(Path("figures/runs").iterdir())) == 1  # nothing was trained


def test_a_figure_that_does_not_show_what_it_claims_fails(finished, jaxgen, capsys):
    finished("elsewhere/one", distance=1.0)
    assert jaxgen("figures", "--only", "xy_game", "--runs", "elsewhere") == 2
    assert "jaxgen: numbers of xy_game are not what the captions claim" in capsys.readouterr().err
    assert 'class="no"' in Path("figures/index.html").read_text()


def test_a_name_of_no_figure_is_refused(jaxgen, capsys):
    assert jaxgen("figures", "--only", "mona_lisa") == 2
    assert "no figure is called 'mona_lisa'; choose of xy_game, saturation" in capsys.readouterr().err


@pytest.mark.slow
def test_a_figure_is_made_once(jaxgen, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert jaxgen("figures", "--quick", "--only", "xy_game", "mode_collapse") == 0
    (run,) = Path("figures/runs").iterdir()
    assert run.name.startswith("xy_game-")
    page = Path("figures/index.html").read_text()
    assert "Not yet run" in page  # the other, which takes longer
    made = (run / "config.json").read_bytes()
    assert jaxgen("figures", "--quick", "--only", "xy_game") == 0
    assert (run / "config.json").read_bytes() == made
