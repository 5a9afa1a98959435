"""The report in a browser: nothing is fetched, nothing fails, and the slider moves the pictures."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from jaxgen.report.curves import panels
from jaxgen.report.gallery import Claim, Illustration, Shown, Table, from_run, from_table, write_gallery
from jaxgen.report.grid import save_png
from jaxgen.report.page import embed, write_report
from jaxgen.report.sequences import as_wav

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium: the system's, or Playwright's own."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        try:
            found = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except playwright.Error:
            if os.environ.get("CI") == "true" and "NO_BROWSER" not in os.environ:  # `.ci/run` has tried
                raise
            pytest.skip("needs a browser: apt-get install chromium-headless-shell, or playwright install chromium")
        yield found
        found.close()


@pytest.fixture
def page(browser):
    """A page that keeps what it asks for and what goes wrong."""
    page = browser.new_page()
    page.errors, page.asked = [], []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    page.close()


def test_the_slider_and_the_thumbnails_show_each_step_s_samples(page, tmp_path):
    config = {"experiment": "digits_vae", "config": {"steps": 30}, "method": "VAE", "data": "digits"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "metrics.jsonl").write_text("".join(f'{{"step": {s}, "elbo/loss": {9 - s / 10}}}\n' for s in (10, 20)))
    for step in (10, 20, 30):
        save_png(tmp_path / f"samples/step_{step:07d}.png", np.full((4, 8, 8, 1), step / 30 - 1))
    page.goto(write_report(tmp_path).as_uri())
    slider = page.locator("#slider")
    shown = {}
    for index, step in enumerate(("10", "20", "30")):
        slider.fill(str(index))
        assert page.locator("#shown").inner_text() == step
        shown[step] = page.locator("#large").get_attribute("src")
        assert page.evaluate("document.getElementById('large').naturalWidth") > 0
        assert page.locator(".thumbs .now").inner_text().strip() == step
    assert len(set(shown.values())) == 3
    page.locator(".thumbs figure").nth(1).click()
    assert page.locator("#large").get_attribute("src") == shown["20"]
    assert slider.input_value() == "1"
    assert page.locator("svg .line").first.bounding_box()["width"] > 50
    assert page.errors == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []


def illustration(name, family="games", **others):
    words = {"title": "A title", "text": "It shows this. And that.", "alt": "Something drawn.", "experiment": "vae"}
    return Illustration(name=name, family=family, claims=(Claim("of it", "x", 1.0, 2.0),), **words, **others)


OTHERS = {"c": {}, "d": {}, "e": {"form": "txt"}, "f": {"command": "python measure.py"}, "g": {"form": "wav"}}


def heard_of(figure, folder):
    """The figure of a run that says nothing but of what is in `heard.wav`."""
    (folder / "run").mkdir()
    config = {"experiment": "vae", "config": {}, "versions": {"jax": "1"}, "device": "cpu x1"}
    (folder / "run" / "config.json").write_text(json.dumps(config))
    return from_run(figure, folder / "run", folder / "heard.wav")


@pytest.fixture
def gallery(tmp_path):
    """Figures with a picture, with curves, not there, not true, in words, as a table and heard; names "a" to "g"."""
    save_png(tmp_path / "wide.png", np.zeros((2, 100, 900, 1)))
    (tmp_path / "heard.wav").write_bytes(as_wav(np.sin(np.arange(4000))[None], 8000))
    drawn, curved = illustration("a"), illustration("b")
    absent, untrue, said, tabled, heard = (illustration(name, "flow", **form) for name, form in OTHERS.items())
    claim = drawn.claims[0]
    curves = panels([{"step": step, "elbo/loss": 9.0 - step} for step in range(5)])
    shown = [
        Shown(drawn, embed(0, tmp_path / "wide.png", large=True), numbers={claim: 1.5}, made="seed 0", seconds=3.0),
        Shown(curved, curves=curves, numbers={claim: 1.5}, made="seed 0"),
        Shown(absent),
        Shown(untrue, numbers={claim: 2.5}, made="seed 0"),
        Shown(said, text="word " + "w" * 300, numbers={claim: 1.5}, made="seed 0"),
        from_table(tabled, Table(["model " * 5] * 6, [["a number " * 5] * 6], {("x", ""): 1.5}, "runs")),
        dataclasses.replace(heard_of(heard, tmp_path), numbers={claim: 1.5}, made="seed 0"),
    ]
    write_gallery(tmp_path / "index.html", shown)
    return (tmp_path / "index.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_figures_is_read_on_a_phone_without_a_network(page, gallery, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(gallery)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for picture in page.locator("img, svg").all():
        assert picture.get_attribute("alt") or picture.get_attribute("aria-label")
        assert picture.bounding_box()["x"] + picture.bounding_box()["width"] <= 390
    assert page.evaluate("Array.from(document.images).every(image => image.naturalWidth > 0)")
    entries = page.locator("nav a")
    assert page.locator("nav h2").all_inner_texts() == ["Games", "Flow"]
    for entry in entries.all():
        assert page.locator(entry.get_attribute("href")).count() == 1
    assert page.locator("#c .missing").inner_text().startswith("Not yet run")
    held = [page.locator(f"#{name} .claims li").get_attribute("class") for name in "abcdefg"]
    assert held == ["yes", "yes", "open", "no", "yes", "yes", "yes"]
    assert page.locator("#e pre").bounding_box()["width"] <= 390
    assert page.locator("#f td").count() == 6
    assert page.locator("#f code").all_inner_texts() == ["python measure.py"]
    page.wait_for_function("document.querySelector('#g audio').duration > 0", timeout=5000)
    assert abs(page.evaluate("document.querySelector('#g audio').duration") - 0.75) < 0.01  # half a second and a pause
    for spoken in ("#e pre", "#f table", "#g audio"):
        assert page.locator(spoken).get_attribute("aria-label") == "Something drawn."
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    assert dark == (scheme == "dark")
    assert page.errors == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
