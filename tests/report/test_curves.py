"""Curves: which numbers are drawn, and where."""

import re

import numpy as np
import pytest

from jaxgen.report.curves import HEIGHT, MOST_POINTS, TOP, frame, number, panels, spread, thin, ticks


def points(path):
    return np.array([[float(v) for v in pair.split()] for pair in re.split("[ML]", path)[1:]])


def interpolate(marks, pixel):
    """The number at a pixel, read off the axis as a person would: by two of its ticks."""
    (p0, t0), (p1, t1) = marks[0], marks[-1]
    a, b = float(t0.replace(",", "")), float(t1.replace(",", ""))
    return a + (pixel - p0) / (p1 - p0) * (b - a)


def test_curve_reads_back_the_logged_numbers():
    steps = np.array([10, 20, 40, 100])
    values = np.array([3.0, -1.0, 2.5, 0.25])
    (panel,) = panels([{"step": int(s), "vae/elbo": v} for s, v in zip(steps, values, strict=True)])
    x, y = points(panel.lines[0].path).T
    np.testing.assert_allclose(interpolate(panel.x_ticks, x), steps, atol=0.1)
    np.testing.assert_allclose(interpolate(panel.y_ticks, y), values, atol=0.01)
    assert panel.lines[0].value == "0.25"
    assert panel.lines[0].median is None
    assert (panel.title, panel.owner, panel.notes) == ("elbo", "vae", [])
    assert "vae/elbo goes from 3 at step 10 to 0.25 at step 100" in panel.description


def test_metrics_of_a_kind_share_a_panel_losses_first_throughput_last():
    names = ["images_per_second", "critic/real", "generator/loss", "critic/fake", "critic/loss"]
    names += ["generator/grad_norm", "critic/grad_norm", "critic/spectral_norm"]
    names += ["critic/accuracy_real", "critic/accuracy_fake"]
    result = panels([{"step": 1, "time": 9.0, "note": "text", "flag": True, **dict.fromkeys(names, 0.5)}])
    shape = [(panel.title, panel.owner, [line.label for line in panel.lines]) for panel in result]
    assert shape == [
        ("loss", "", ["generator", "critic"]),
        ("real and fake", "critic", ["real", "fake"]),
        ("grad norm", "", ["generator", "critic"]),
        ("spectral norm", "critic", [""]),
        ("accuracy", "critic", ["accuracy_real", "accuracy_fake"]),
        ("images per second", "", [""]),
    ]


def test_a_resumed_run_replaces_the_steps_it_repeats():
    rows = [{"step": s, "a/loss": 9.0} for s in (1, 3, 4)] + [{"step": s, "a/loss": 1.0} for s in (2, 3, 4)]
    (panel,) = panels(rows)
    x, y = points(panel.lines[0].path).T
    assert len(x) == 4
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(interpolate(panel.y_ticks, y), [9, 1, 1, 1], atol=0.05)


def test_values_that_are_not_finite_are_left_out_and_said():
    rows = [{"step": s, "a/loss": v} for s, v in enumerate([1.0, float("nan"), 2.0, float("inf"), 3.0])]
    (panel,) = panels([*rows, {"step": 9, "b/loss": float("nan")}])
    assert len(points(panel.lines[0].path)) == 3
    assert panel.notes == ["2 values that are not finite are left out."]


def test_noisy_curves_get_a_median_that_is_labelled_and_deaf_to_spikes():
    rng = np.random.default_rng(0)
    truth = np.linspace(5.0, 1.0, 1000)
    values = truth + 0.3 * rng.standard_normal(1000)
    values[::100] = 1000.0
    (panel,) = panels([{"step": s, "a/loss": v} for s, v in enumerate(values)])
    x, y = points(panel.lines[0].median).T
    steps, smooth = interpolate(panel.x_ticks, x), interpolate(panel.y_ticks, y)
    np.testing.assert_allclose(smooth, np.interp(steps, np.arange(1000), truth), atol=0.4)
    assert "median of 41 neighbours" in panel.notes[0]
    assert re.fullmatch(r"1\d values are off the chart; in all: 0\.\d+ to 1,000\.", panel.notes[1])
    (calm,) = panels([{"step": s, "a/loss": v} for s, v in enumerate(truth)])
    assert calm.lines[0].median is None


def test_one_spike_does_not_flatten_the_rest():
    y = np.concatenate([np.linspace(0, 1, 400), [1e6]])
    low, high = frame(y)
    assert -0.2 < low < 0.05
    assert 0.95 < high < 1.2
    assert frame(np.linspace(0, 1, 400)) == pytest.approx((-0.05, 1.05))
    assert frame(np.full(3, 2.0)) == pytest.approx((1.9, 2.1))


@pytest.mark.parametrize("count", [999, 1000, 1001, 123_457])
def test_thinning_keeps_ends_and_spikes(count):
    y = np.random.default_rng(1).standard_normal(count)
    y[count // 3], y[count // 2] = 50.0, -50.0
    keep = thin(y)
    assert len(keep) <= MOST_POINTS
    assert (np.diff(keep) > 0).all()
    assert {0, count - 1, count // 3, count // 2} <= set(keep.tolist())


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (-2.2, 1.9, ["-2", "-1", "0", "1"]),
        (0, 6000, ["0", "2,000", "4,000", "6,000"]),
        (0, 200_000, ["0", "50k", "100k", "150k", "200k"]),
        (2.61, 2.64, ["2.61", "2.62", "2.63", "2.64"]),
    ],
)
def test_ticks_are_round(low, high, texts):
    assert [text for _, text in ticks(low, high, 5)] == texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.6931, "0.693"),
        (12.34, "12.3"),
        (999.6, "1,000"),
        (4081.4, "4,081"),
        (2.1e-5, "2.1e-05"),
        (-1.5, "-1.5"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_labels_keep_apart_and_inside():
    placed = spread([50.0, 51.0, 52.0, HEIGHT])
    assert placed == sorted(placed)
    assert (np.diff(placed) >= 20).all()
    assert placed[0] >= TOP
    assert placed[-1] + 12 < HEIGHT - 7 - 9  # its second line, above the numbers of the steps
    assert spread([30.0, 120.0]) == [30.0, 120.0]


def test_stages_are_marked_where_they_begin():
    rows = [{"step": step, "critic/loss": float(step)} for step in range(0, 101, 10)]
    (panel,) = panels(rows, {"grow": 50, "later": 500})
    ((x, name),) = panel.stages
    assert name == "grow"
    assert x == pytest.approx((panel.left + panel.right) / 2)
