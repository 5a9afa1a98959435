"""The run's page, read back as a browser would."""

import base64
import html.parser
import io
import json
import re

import numpy as np
import PIL.Image
import pytest

from jaxgen.errors import UserError
from jaxgen.report.grid import save_clips, save_png
from jaxgen.report.page import MOST_PICTURES, embed, figures, write_report
from jaxgen.rows import read_rows

VOID = {"meta", "img", "input", "br", "link", "hr"}


class Page(html.parser.HTMLParser):
    """Collects what a page holds and fails where an element is not closed in its turn."""

    def __init__(self, path):
        super().__init__()
        self.open, self.elements, self.pieces = [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.pieces).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.pieces.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def run(tmp_path):
    """A run folder as `jaxgen train` leaves it before its first logging step."""
    config = {
        "experiment": "dcgan",
        "name": "default",
        "file": "experiments/adversarial/digits_dcgan.py",
        "command": "jaxgen train dcgan --steps 3000",
        "config": {"steps": 3000, "batch_size": 64, "learning_rate": 0.0002, "widths": [64, 32], "loss": "hinge"},
        "method": "GAN",
        "data": "digits",
        "versions": {"jaxgen": "0.1.0", "jax": "0.10.2"},
        "device": "cpu x1",
        "started": "2026-03-02T14:03:22+00:00",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def log(run, steps, tail=""):
    rows = [{"step": s, "critic/loss": 1.386, "generator/loss": 0.6931, "images_per_second": 4081.5} for s in steps]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)


def sample(run, steps):
    for step in steps:
        save_png(run / f"samples/step_{step:08d}.png", np.full((4, 8, 8, 1), step / 1e5 - 1))


def evaluate(run, **changes):
    entry = {"mean": 2.634812, "standard_error": 0.01234, "unit": "bits/dim"}
    content = {"step": 3000, "examples": 1360, "weights": "ema", "figures": {"bits_per_dim": entry}}
    (run / "eval.json").write_text(json.dumps(content | changes))


def test_a_finished_run_says_everything(run):
    log(run, range(100, 3001, 100))
    sample(run, (1000, 2000, 3000))
    evaluate(run)
    assert write_report(run) == run / "report.html"
    page = Page(run / "report.html")
    for expected in [
        "GAN on digits",
        "Run default is finished: 3,000 of 3,000 steps.",
        "bits per dim ↓ 2.635 bits/dim ± 0.012",
        "1,360 held-out examples, mean ± standard error, at step 3,000, averaged (EMA) weights. ↑ more is better",
        "learning_rate 0.0002",
        "widths [64, 32]",
        "loss hinge",
        "4,082",
        "jaxgen train dcgan --steps 3000",
        "jax 0.10.2",
        "cpu x1",
        "2026-03-02 14:03 UTC",
    ] + [f"{step:,}" for step in (1000, 2000, 3000)]:
        assert expected in page.text
    assert re.search(r"critic 1\.39 .*generator 0\.693", page.text)
    assert page.text.index("bits per dim") < page.text.index("Samples") < page.text.index("Settings")


def test_a_run_that_ended_early_is_finished(run):
    log(run, range(100, 701, 100))
    for ended, says in ((False, "is under way or interrupted, at step 700 of"), (True, "is finished: 700 of")):
        config = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(config | ({"ended": "2026-03-02T15:00:00+00:00"} if ended else {})))
        assert f"Run default {says} 3,000" in Page(write_report(run)).text


def test_samples_stand_beside_training_images_and_say_what_they_were_compared_by(run):
    figures = {
        "kernel_distance": {"mean": 0.4321, "standard_error": 0.012},
        "classes": {"mean": 10.0},
        "asked": {"mean": 0.5},
    }
    real = {"kernel_distance": {"mean": 0.0012, "standard_error": 0.001}, "classes": {"mean": 9.0}}
    what = {"features": "classifier (<b>CNN</b>)", "split": "digits/test", "examples": 360, "samples": 10000}
    what |= {"training_split": "digits/train", "training_examples": 1437}
    untrained = {"kernel_distance": {"mean": 2.5}}
    evaluate(run, samples={**what, "figures": figures, "untrained": untrained, "training_images": real})
    write_report(run)
    text = Page(run / "report.html").text
    assert "10,000 samples against 360 images of digits/test (nearest_training_distance, " in text
    assert "data_copying and any class_kl: 1,437 of digits/train); features: classifier (<b>CNN</b>). ↑ more" in text
    assert "kernel distance ↓ 0.432 ± 0.012 untrained 2.5, training images 0.0012" in text
    assert "classes ↑ 10 training images 9 asked 0.5 " in text


def test_pictures_are_embedded_as_they_are_with_words_for_those_who_cannot_see(run):
    sample(run, (1000, 2000))
    write_report(run)
    pictures = Page(run / "report.html").all("img")
    content = [base64.b64decode(picture["src"].removeprefix("data:image/png;base64,")) for picture in pictures]
    first, latest = [(run / f"samples/step_{step:08d}.png").read_bytes() for step in (1000, 2000)]
    assert content == [latest, first, latest]
    assert all(picture["alt"].endswith(step) for picture, step in zip(pictures, ("2000", "1000", "2000"), strict=True))


def test_heavy_clips_are_embedded_as_webp_that_still_moves(tmp_path):
    noise = np.random.default_rng(0).uniform(-1, 1, (16, 5, 32, 32, 3))
    save_clips(tmp_path / "clips.png", noise)
    assert (tmp_path / "clips.png").stat().st_size > 64_000
    picture = embed(0, tmp_path / "clips.png", large=False)
    kind, content = picture.uri.removeprefix("data:image/").split(";base64,")
    image = PIL.Image.open(io.BytesIO(base64.b64decode(content)))
    assert (kind, image.n_frames, image.size) == ("webp", 5, (picture.width, picture.height))
    assert max(image.size) <= 400
    frames = []
    for index in range(2):
        image.seek(index)
        frames.append(np.asarray(image.convert("L"), float))
    assert image.info["duration"] == 150  # milliseconds, as in the file
    assert np.abs(frames[0] - frames[1]).mean() > 10


def test_drawings_are_shown_by_name(run):
    save_png(run / "drawings/log_density.png", np.zeros((1, 8, 8, 1)))
    write_report(run)
    page = Page(run / "report.html")
    assert [picture["alt"] for picture in page.all("img")] == ["log density"]
    assert "Drawings log density" in page.text


def test_nothing_is_fetched_from_anywhere(run):
    log(run, range(100, 3001, 100))
    sample(run, (1000, 2000))
    evaluate(run)
    write_report(run)
    page = Page(run / "report.html")
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    source = (run / "report.html").read_text()
    assert "http://" not in source
    assert "https://" not in source
    assert "@import" not in source
    assert set(re.findall(r"url\((.)", source)) == {"#"}
    assert any("default-src 'none'" in meta.get("content", "") for meta in page.all("meta"))


def test_hostile_text_stays_text(run):
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    config = json.loads((run / "config.json").read_text())
    config["config"][evil] = evil
    config |= dict.fromkeys(("experiment", "name", "file", "command", "method", "data", "device", "started"), evil)
    config["versions"] = {evil: evil}
    (run / "config.json").write_text(json.dumps(config))
    (run / "metrics.jsonl").write_text(json.dumps({"step": 1, f"{evil}/loss": 1.0, "loss": 3.0, evil: 2.0}) + "\n")
    evaluate(run, weights=evil, step=evil, examples=evil, figures={evil: {"mean": evil, "unit": evil}})
    sample(run, (1,))
    write_report(run)
    page = Page(run / "report.html")
    assert len(page.all("script")) == 1
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert [picture["src"][:5] for picture in page.all("img")] == ["data:"]
    assert page.text.count(evil) >= 12


def test_a_run_with_nothing_yet_says_so(run):
    write_report(run)
    page = Page(run / "report.html")
    assert "under way or interrupted, at step 0 of 3,000" in page.text
    for expected in ("jaxgen eval", "training writes them to samples/", "No metrics yet"):
        assert expected in page.text.replace(" .", ".")
    assert page.all("img") == page.all("svg") == []


def test_half_a_line_and_half_a_picture_are_passed_over(run):
    log(run, (100, 200), tail='{"step": 300, "critic/lo')
    sample(run, (100,))
    (run / "samples/step_00000200.png").write_bytes((run / "samples/step_00000100.png").read_bytes()[:60])
    write_report(run)
    page = Page(run / "report.html")
    assert "at step 200 of 3,000" in page.text
    assert "cannot be read" not in page.text
    assert len(page.all("img")) == 1
    assert "samples of the model at step 100" in page.all("img")[0]["alt"].lower()


def test_broken_lines_further_up_are_counted(run):
    # A killed run leaves half a line, and the resumed one writes behind it.
    log(
        run,
        (100,),
        tail='{"step": 200, "cri{"step": 200, "critic/loss": 1.0}\n[1]\n\n{"step": 300, "critic/loss": 2.5}\n',
    )
    rows, unreadable = read_rows(run / "metrics.jsonl")
    assert [row["step"] for row in rows] == [100, 300]
    assert unreadable == 2
    write_report(run)
    assert "are left out: 2" in Page(run / "report.html").text


def test_long_runs_stay_small(run):
    rng = np.random.default_rng(0)
    rows = [{"step": s, "a/loss": v, "b/loss": -v} for s, v in enumerate(rng.standard_normal(20_000).tolist())]
    (run / "metrics.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    sample(run, range(0, 1000, 10))
    write_report(run)
    page = Page(run / "report.html")
    steps = [int(picture["alt"].split()[-1]) for picture in page.all("img")[1:]]
    assert len(steps) == MOST_PICTURES
    assert (steps[0], steps[-1]) == (0, 990)
    assert set(np.diff(steps)) <= {40, 50}
    lines = [
        attributes["d"] for attributes in page.all("path") if attributes.get("class", "").startswith(("faint", "firm"))
    ]
    assert len(lines) == 4
    assert max(line.count("L") for line in lines) <= 1000
    assert (run / "report.html").stat().st_size < 500_000


def test_heavy_pictures_are_compressed(run):
    smooth = np.add.outer(np.linspace(-1, 0, 128), np.linspace(0, 1, 128))[None, ..., None]
    noise = 0.02 * np.random.default_rng(0).standard_normal((36, 128, 128, 3))
    for step in (1, 2):
        save_png(run / f"samples/step_{step}.png", smooth + noise)
    assert (run / "samples/step_1.png").stat().st_size > 500_000
    write_report(run)
    small = [base64.b64decode(picture["src"].split(",")[1]) for picture in Page(run / "report.html").all("img")][1]
    assert len(small) < 60_000
    picture = PIL.Image.open(io.BytesIO(small))
    assert picture.format == "WEBP"
    assert max(picture.size) == 400


@pytest.mark.parametrize(
    ("entry", "mean", "error"),
    [
        ({"mean": 103.42171, "standard_error": 0.3391}, "103.42", "0.34"),
        ({"mean": 12345.678, "standard_error": 250.0}, "12,346", "250"),
        ({"mean": 0.58312, "standard_error": 0.0009996}, "0.58312", "0.00100"),
        ({"mean": 10, "standard_error": None}, "10", ""),
        ({"mean": 2.63481, "standard_error": 0.0}, "2.635", ""),
        (0.25, "0.25", ""),
    ],
)
def test_figures_show_the_digits_their_error_warrants(entry, mean, error):
    (figure,) = figures({"some_figure": entry})
    assert (figure.name, figure.mean, figure.error) == ("some figure", mean, error)


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.json", None), ("config.json", "{"), ("config.json", "{}"), ("config.json", "[]"), ("eval.json", "{")],
)
def test_a_folder_that_is_no_run_is_refused_and_nothing_is_written(run, name, content):
    (run / name).unlink(missing_ok=True)
    if content is not None:
        (run / name).write_text(content)
    with pytest.raises(UserError, match=re.escape(name)):
        write_report(run)
    assert not (run / "report.html").exists()
