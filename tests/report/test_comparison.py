"""Runs beside one another: what differs, what spreads, and lines that are each a run's."""

import json
import statistics

import pytest

from jaxgen.errors import UserError
from jaxgen.report.comparison import Recorded, by_seed, differing, figures_of
from jaxgen.report.curves import overlaid
from jaxgen.report.directions import better


@pytest.fixture
def runs(tmp_path):
    """Three seeds of one setting, and one of another."""

    def run(name, bits, **settings):
        folder = tmp_path / name
        folder.mkdir()
        config = {"experiment": "vae", "config": {"width": 8, "seed": 0, **settings}, "versions": {"jax": "0.10.2"}}
        (folder / "config.json").write_text(json.dumps(config))
        evaluation = {
            "figures": {"bits_per_dim": {"mean": bits, "standard_error": 0.5, "untrained": 8.0}},
            "whole_sets": {"codes_used": {"value": 3.0, "nulls": {"chance": 1.0}}},
            "samples": {"figures": {"recall": {"mean": 0.5}}, "training_images": {"recall": {"mean": 0.9}}},
        }
        (folder / "eval.json").write_text(json.dumps(evaluation))
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 10, "elbo/loss": bits, "speed": 3.0}) + "\n")
        return Recorded.read(folder)

    return {
        "A": run("a", 2.0),
        "B": run("b", 2.2, seed=1),
        "C": run("c", 1.0, width=16),
        "D": run("d", 2.7, seed=2),
    }


def test_only_settings_that_differ_are_told_and_seeds_make_no_group(runs):
    assert differing(runs) == {"width": ["8", "8", "16", "8"], "seed": ["0", "1", "0", "2"]}
    assert by_seed(runs) == [["A", "B", "D"], ["C"]]
    assert by_seed({name: runs[name] for name in "AC"}) == [["A"], ["C"]]


def test_figures_stand_beside_their_null_controls_with_the_spread_of_seeds(runs):
    headers, rows = figures_of(runs)
    assert headers == ["figure", "A", "B", "D", "mean ± deviation of A, B, D", "C"]
    deviation = statistics.stdev([2.0, 2.2, 2.7])
    assert rows[0] == ["bits_per_dim ↓", "2", "2.2", "2.7", f"2.30 ± {deviation:.2f}", "1"]
    assert [row[0] for row in rows] == [
        "bits_per_dim ↓",
        "  untrained",
        "codes_used ↑",
        "  chance",
        "recall ↑",
        "  training images",
    ]
    assert rows[1][1:] == ["8", "8", "8", "8 ± 0", "8"]
    (runs["B"].folder / "eval.json").unlink()
    lacking = {**runs, "B": Recorded.read(runs["B"].folder)}
    assert figures_of(lacking)[1][0] == ["bits_per_dim ↓", "2", "", "2.7", "2.35 ± 0.49 (2 of 3)", "1"]


def test_a_panel_is_a_metric_and_a_line_a_run(runs):
    del runs["B"].rows[0]["elbo/loss"]
    loss, speed = overlaid({name: run.rows for name, run in runs.items()})
    assert (loss.title, loss.owner) == ("loss", "elbo")
    assert [(line.label, line.value) for line in loss.lines] == [("A", "2"), ("C", "1"), ("D", "2.7")]
    assert [line.label for line in speed.lines] == ["A", "B", "C", "D"]
    assert "C goes from 1 at step 10" in loss.description


def test_a_folder_that_is_no_run_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="is not a run of jaxgen"):
        Recorded.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("bits_per_dim", "↓"),
        ("negative_elbo_nats", "↓"),
        ("log_likelihood_nats", "↑"),
        ("information_c_nats", "↑"),
        ("nats", "↓"),
        ("kl_nats", ""),  # part of a bound
        ("critic_accuracy", "→ 0.5"),
        ("class_accuracy", "↑"),
        ("source_accuracy", "↑"),
        ("class_kl", "↓"),
        ("squared_error", "↓"),
        ("random_reconstruction", ""),  # a null control
        ("reconstruction", "↓"),
        ("nearest_training_distance", ""),  # as far as held-out images are is best
        ("translation", ""),
    ],
)
def test_a_figure_s_name_tells_which_way_is_better(name, mark):
    assert better(name) == mark
