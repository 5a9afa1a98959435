"""Published figures are those of recorded runs, of which tables are made; other numbers are in files of results."""

import dataclasses
import importlib.util
import json
import re
import statistics
import sys
from pathlib import Path

import pytest

from jaxgen import measured
from jaxgen.commands.list_experiments import describe
from jaxgen.measured import Measured

ROOT = Path(__file__).parent.parent
RUNS = measured.read(ROOT / "experiments" / "figures.jsonl")


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("figures", ROOT / "benchmarks" / "figures.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["figures"] = module
    spec.loader.exec_module(module)
    return module


def run(seed=0, value=1.0, experiment="vae", **others):
    fields = {
        "data": "digits",
        "options": "",
        "evaluated": "",
        "figures": {"bits_per_dim": {"": value, "untrained": 4.0}},
        "steps": 10,
        "seconds": 61.4,
        "config": "0",
        "commit": "0",
        "machine": "cpu x1",
        "date": "2026-11-26",
    }
    return Measured(experiment=experiment, seed=seed, **{**fields, **others})


def test_a_line_of_json_is_the_run():
    assert Measured(**json.loads(measured.line(run(3)))) == run(3)


def test_settings_have_the_newest_run_of_each_seed_in_order():
    other = run(0, options="--width 3")
    found = measured.by_setting([run(2), other, run(0, 1.0), run(0, 5.0)])
    assert found == {run().setting: [run(0, 5.0), run(2)], other.setting: [other]}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, 2.0, 3.0], "2.0 ± 1.0"),
        ([0.123, 0.125], "0.1240 ± 0.0014"),
        ([95.0, 105.0, 100.0], "100.0 ± 5.0"),
        ([1900.0, 2100.0], "2,000 ± 141"),
        ([2.0], "2"),
        ([0.123456], "0.1235"),
        ([12345.6], "12,346"),
        ([3.0, 3.0], "3"),
    ],
)
def test_a_mean_has_the_places_of_its_deviation(values, text):
    assert measured.value(values) == text
    if " ± " in text:
        assert float(text.split(" ± ")[1].replace(",", "")) == pytest.approx(statistics.stdev(values), rel=0.06)


def test_a_summary_names_nulls_seeds_and_seconds():
    assert measured.summary([run(0, 1.0), run(1, 2.0)]) == (
        "bits_per_dim 1.50 ± 0.71 (untrained 4) (2 of 3 seeds, 61 s)"
    )


def test_time_of_interrupted_runs_is_not_known():
    of = [run(0, seconds=None), run(1, seconds=10.0), run(2, seconds=12.4)]
    assert [measured.seconds(of), measured.seconds(of[:1])] == ["10-12 s", "interrupted"]


def test_time_with_another_device_is_told_apart():
    with_gpu = [run(seed, seconds=20.0 + seed, machine="NVIDIA H200 x1, 6 cores, jax 0.11.2") for seed in (1, 2)]
    assert measured.seconds(with_gpu) == "21-22 s with NVIDIA H200"
    assert measured.seconds([run(0), *with_gpu]) == "1 in 61 s, 2 in 21-22 s with NVIDIA H200"


def test_a_table_says_what_is_missing_and_compares_in_pairs(figures):
    rows = [figures.Row("vae", "digits", ("bits_per_dim",), options) for options in ("", "--width 3", "--width 4")]
    others = [run(1, 2.7, options="--width 3"), run(2, 4.5, options="--width 3")]
    runs = [run(0, 1.0), run(1, 2.0), run(2, 4.0), *others]
    first, second, third = figures.table(rows, measured.by_setting(runs)).splitlines()[2:]
    assert first == "| `vae --data digits` | bits_per_dim ↓ 2.3 ± 1.5 | untrained 4 |  | 3 of 3 seeds, 61 s |"
    assert "| 0.60 ± 0.14 |" in second  # of 0.7 and 0.5, whose spread is less than that of either row
    assert third == "| `vae --data digits --width 4` | not yet run | | | 0 of 3 |"


def test_a_row_is_not_compared_with_other_data(figures):
    rows = [figures.Row("vae", data, ("bits_per_dim",)) for data in ("digits", "mnist")]
    runs = [run(seed, 1.0 + seed, data=data) for data in ("digits", "mnist") for seed in (0, 1)]
    assert "untrained 4 |  | 2 of 3" in figures.table(rows, measured.by_setting(runs)).splitlines()[-1]


def test_every_row_is_of_an_experiment_and_a_data_set_that_it_lists(figures):
    experiments = ROOT / "experiments"
    described = {each.name: each for path in experiments.glob("*/*.py") if (each := describe(path))}
    for _, rows in figures.TABLES.values():
        for row in rows:
            takes_any = any('"other": ' in path.read_text() for path in experiments.glob(f"*/{row.experiment}.py"))
            assert row.data in described[row.experiment].measured or takes_any
    settings = {row.setting for _, rows in figures.TABLES.values() for row in rows}
    assert {each.setting for each in RUNS} <= settings


@pytest.mark.slow
def test_missing_runs_are_made_once_and_recorded(figures, monkeypatch, tmp_path, capsys):
    row = figures.Row("vae", "digits", ("bits_per_dim",), "--steps 20 --hidden 8 --batch-size 32")
    monkeypatch.setattr(figures, "TABLES", {"small": ("A table.", (row,))})
    monkeypatch.setattr(figures, "MEASURED", tmp_path / "figures.jsonl")
    (tmp_path / "figures.jsonl").write_text(measured.line(dataclasses.replace(run(), options=row.options)) + "\n")
    figures.main(seeds=2, out=tmp_path / "runs")
    first, second = measured.read(tmp_path / "figures.jsonl")
    assert (first.seed, second.seed, second.steps, second.setting) == (0, 1, 20, row.setting)
    assert second.figures["bits_per_dim"].keys() == {"", "untrained", "independent pixels", "Gaussian"}
    assert "2 of 3 seeds" in capsys.readouterr().out
    made = (tmp_path / "figures.jsonl").read_text()
    figures.main(seeds=2, out=tmp_path / "runs")
    assert (tmp_path / "figures.jsonl").read_text() == made


def test_the_readme_s_tables_are_those_of_the_recorded_runs(figures):
    text = (ROOT / "benchmarks" / "README.md").read_text()
    assert set(re.findall(r"<!-- figures (\w+) -->", text)) == set(figures.TABLES)
    assert figures.page(text, measured.by_setting(RUNS)) == text


def numbers(value):
    """Every number in JSON, those within its texts too."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers(each)
    elif isinstance(value, str):
        yield from (float(text.replace(",", "")) for text in NUMBER.findall(value))
    elif isinstance(value, int | float):
        yield value


NUMBER = re.compile(r"(?<![\w.])\d[\d,]*\.\d+(?![\w.]*\d)")


def recorded(figures):
    """Numbers of all files of results, and of the tables and lines made from recorded runs."""
    found = [*numbers([json.loads(path.read_text()) for path in (ROOT / "benchmarks").rglob("*.json")])]
    runs = measured.by_setting(RUNS)
    made = [measured.summary(each) for each in runs.values()]
    made += [figures.table(rows, runs) for _, rows in figures.TABLES.values()]
    return {*found, *numbers(made)}


@pytest.mark.parametrize("page", ["README.md", "experiments/README.md", "benchmarks/README.md"])
def test_no_number_is_published_that_is_not_in_a_file_of_results(figures, page):
    text = (ROOT / page).read_text()
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    known, missing = recorded(figures), []
    for number in NUMBER.findall(text):
        plain = number.replace(",", "")
        places = len(plain.split(".")[1])
        if not any(f"{abs(scale * value):.{places}f}" == plain for value in known for scale in (1, 100)):
            missing.append(number)
    assert missing == []
