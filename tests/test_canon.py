"""The figures that the field is taught by: what their captions claim, and the command that makes their page."""

import dataclasses
import importlib.util
import itertools
import json
import math
import shlex
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from jaxgen.commands.arguments import parse_experiment
from jaxgen.commands.figures import canon
from jaxgen.commands.list_experiments import describe
from jaxgen.experiment import ExperimentFile
from jaxgen.report.gallery import Claim, from_table
from jaxgen.report.grid import save_png
from jaxgen.settings import config_to_json
from jaxgen.shipped import find

ROOT = Path(__file__).parent.parent
FIGURES = canon()
STORED = json.loads((ROOT / "benchmarks" / "results" / "canon.json").read_text())


@dataclasses.dataclass(frozen=True)
class Nothing:
    """No options."""


def test_every_figure_has_a_name_words_and_something_to_show():
    names = [figure.name for figure in FIGURES]
    assert sorted(set(names)) == sorted(names)
    families = [family for family, _ in itertools.groupby(FIGURES, key=lambda figure: figure.family)]
    assert sorted(set(families)) == sorted(families)  # each in one place
    for figure in FIGURES:
        assert bool(figure.table) or describe(find(figure.experiment))
        assert bool(figure.table) == bool(figure.command) == (not figure.experiment), figure.name
        forms = figure.picture, figure.sampled, figure.curves, figure.table
        assert sum(map(bool, forms)) == 1, figure.name
        assert 2 <= figure.text.count(". ") + figure.text.count(": ") + 1 <= 4, figure.name
        assert figure.claims, figure.name
        assert figure.alt, figure.name


def test_what_is_quick_is_theory_and_a_dozen_runs_at_most():
    runs = {(figure.experiment, figure.options) for figure in FIGURES if figure.cost == "quick"}
    assert len([name for name, _ in runs if find(name).parent.name != "theory"]) <= 12


@pytest.mark.parametrize("figure", [figure for figure in FIGURES if figure.table], ids=lambda figure: figure.name)
def test_what_tables_claim_holds_in_their_numbers(figure):
    shown = from_table(figure, figure.table())
    assert [claim.text for claim, _, holds in shown.claims if not holds] == []
    assert {len(row) for row in shown.table.rows} == {len(shown.table.head)}


def test_bits_are_means_over_recorded_seeds_and_the_best_comes_first():
    (table,) = (figure.table() for figure in FIGURES if figure.name == "bits")
    lines = (ROOT / "experiments" / "figures.jsonl").read_text().splitlines()
    runs = {(run["experiment"], run["data"], run["options"], run["seed"]): run for run in map(json.loads, lines)}
    glow = [run["figures"]["bits_per_dim"][""] for key, run in runs.items() if key[:3] == ("glow", "digits", "")]
    assert table.numbers["glow on digits", ""] == pytest.approx(sum(glow) / len(glow))
    (row,) = (row for row in table.rows if row[:2] == ("glow", "digits"))
    assert float(row[2].split()[0]) == pytest.approx(sum(glow) / len(glow), abs=1e-3)
    assert row[4:] == ("3.35 on CIFAR-10", "Kingma & Dhariwal, 2018")
    of_digits = [float(row[2].split()[0]) for row in table.rows if row[1] == "digits"]
    assert of_digits == sorted(of_digits)
    assert len(of_digits) > 5


def test_bytes_are_those_of_the_benchmark_and_without_it_there_is_no_table(monkeypatch, tmp_path):
    (figure,) = (figure for figure in FIGURES if figure.name == "compression")
    stored = json.loads((ROOT / "benchmarks" / "results" / "compression.json").read_text())["rows"]
    rows = figure.table().rows
    assert [row[1] for row in rows] == [f"{count:,}" for count in sorted(row["bytes"] for row in stored)]
    monkeypatch.setitem(figure.table.__globals__, "_COMPRESSED", tmp_path / "nothing.json")
    assert figure.table() is None


@pytest.mark.slow
@pytest.mark.parametrize("figure", [each for each in FIGURES if each.experiment], ids=lambda figure: figure.name)
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


def test_a_heavy_picture_is_made_light(finished, jaxgen):
    finished("runs/one")
    grain = np.random.default_rng(0).uniform(-0.2, 0.2, (1, 400, 600, 3))
    save_png("runs/one/drawings/paths.png", grain)
    assert Path("runs/one/drawings/paths.png").stat().st_size > 300_000
    assert jaxgen("figures", "--only", "xy_game") == 0
    assert "data:image/webp" in Path("figures/index.html").read_text()
    assert Path("figures/index.html").stat().st_size < 250_000  # a hundred are 25 MB


def test_numbers_are_kept_beside_older_ones_and_pictures_stand_in_rows_of_two(finished, jaxgen, monkeypatch):
    spec = importlib.util.spec_from_file_location("kept", ROOT / "benchmarks" / "canon.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept, drawn = Path("kept.json"), Path("strip.png")
    kept.write_text('{"xy_game": {"made": "long ago"}, "vae_samples": {"made": "before"}}')
    for name, value in {"NUMBERS": kept, "STRIP": drawn, "SIX": ("xy_game", "saturation", "relaxation")}.items():
        monkeypatch.setattr(module, name, value)
    finished("runs/one")
    assert jaxgen("figures", "--only", "xy_game") == 0
    for grey, (name, height) in enumerate({"xy_game": 6, "saturation": 12, "relaxation": 4}.items()):
        drawings = Path(f"figures/runs/{name}-0/drawings")
        drawings.mkdir(parents=True)
        PIL.Image.new("L", (12, height), 50 * grey).save(drawings / "one.png")
    monkeypatch.setattr("sys.argv", ["canon.py", "figures"])
    module.main()
    numbers = json.loads(kept.read_text())
    assert numbers["xy_game"]["numbers"]["alternating.radius"] == 0.98562
    assert numbers["vae_samples"] == {"made": "before"}
    pixels = np.asarray(PIL.Image.open(drawn).convert("RGB"))
    assert pixels.shape == (900 + 30 + 300, 1830, 3)
    places = {(0, 0): 0, (449, 899): 0, (450, 0): 255, (0, 915): 255, (899, 930): 50, (930, 0): 100, (930, 930): 255}
    assert {place: pixels[place].tolist() for place in places} == {place: [g] * 3 for place, g in places.items()}


def test_where_lecture_notes_err_the_page_says_what_is_right():
    remarks = " ".join(figure.remark for figure in FIGURES)
    for right in ("ln 2 = 0.693 nats", "clip their weights", "dreams from the model's prior", "log p(x) = ELBO + KL"):
        assert right in remarks


def test_a_figure_that_does_not_show_what_it_claims_fails(finished, jaxgen, capsys):
    finished("elsewhere/one", distance=1.0)
    assert jaxgen("figures", "--only", "xy_game", "--runs", "elsewhere") == 2
    assert "jaxgen: numbers of xy_game are not what the captions claim" in capsys.readouterr().err
    assert 'class="no"' in Path("figures/index.html").read_text()


def test_a_figure_that_cannot_be_made_fails_and_the_page_says_why(finished, jaxgen, capsys):
    finished("runs/one")
    Path("runs/one/eval.json").write_text("{")
    assert jaxgen("figures", "--only", "xy_game") == 2
    assert "jaxgen: xy_game could not be made; figures/index.html says why." in capsys.readouterr().err
    assert "Could not be made: " in Path("figures/index.html").read_text()


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
