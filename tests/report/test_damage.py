"""Damaged and foreign files of a run: a report all the same, or one sentence; no other program and no other file."""

import copy
import json
import os
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from jaxgen.errors import UserError
from jaxgen.report.grid import save_png
from jaxgen.report.page import embed, write_report
from jaxgen.training.rollback import Rollbacks
from jaxgen.training.run_folder import RunFolder

CONFIG = {
    "experiment": "digits_dcgan",
    "name": "default",
    "command": "jaxgen train x",
    "config": {"steps": 300, "learning_rate": 1e-4},
    "method": "GAN",
    "data": "digits",
    "versions": {"jax": "0.10.2"},
    "device": "cpu x1",
    "started": "2026-03-02T14:03:22+00:00",
}
FIGURE = {"mean": 1.5, "standard_error": 0.1}
EVALUATION = {
    "step": 300,
    "split": "digits/test",
    "examples": 100,
    "weights": "ema",
    "figures": {"loss": FIGURE},
    "samples": {
        "samples": 200,
        "examples": 100,
        "split": "digits/test",
        "training_examples": 900,
        "training_split": "digits/train",
        "features": "pixels",
        "figures": {"precision": FIGURE},
        "training_images": {"precision": FIGURE},
    },
}
ROW = {"step": 10, "critic/loss": 1.5, "generator/loss": 0.5}
ODD = [None, True, "", "x\x1b", [], {}, [[1]], {"a": {}}, 0, -1, 1.5, 10**400, -(10**400), 1e308, 1e999, float("nan")]
ODD += ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", json.loads("[" * 900 + "]" * 900)]
CONTENTS = [b"", b"\xff\xfe", b"[]", b"null", b"7", b"[" * 100_000, b'{"step":' * 5_000, b"1" * 5_000, b"{" + b"\0" * 9]


def places(value, path=()):
    """The path of everything in a value from JSON."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))


def replaced(value, path, odd):
    """A copy with something odd in one place, or with the place gone."""
    if not path:
        return odd
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    if odd is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = odd
    return value


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    for name, value in (("config.json", CONFIG), ("eval.json", EVALUATION), ("metrics.jsonl", ROW)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(value) + "\n")
    save_png(folder / "samples" / "step_0000010.png", np.zeros((1, 4, 4, 1)))
    save_png(folder / "drawings" / "curve.png", np.zeros((1, 4, 4, 1)))
    return folder


def reports_or_says(run):
    (run / "report.html").unlink(missing_ok=True)
    try:
        write_report(run)
    except UserError as error:
        assert "\n" not in str(error)
        assert not (run / "report.html").exists()
    else:
        assert (run / "report.html").read_text()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "value"),
    [("config.json", CONFIG), ("eval.json", EVALUATION), ("metrics.jsonl", ROW)],
    ids=lambda x: str(x)[:9],
)
def test_anything_anywhere_in_a_file_of_json_is_a_report_or_a_sentence(run, name, value):
    for path in places(value):
        for odd in ODD if not path else [*ODD, ...]:
            (run / name).write_text(json.dumps(replaced(value, path, odd)) + "\n")
            reports_or_says(run)
    for content in CONTENTS:
        (run / name).write_bytes(content)
        reports_or_says(run)


def test_anything_anywhere_in_a_file_of_rollbacks_is_read_or_a_sentence(tmp_path):
    file, entry = tmp_path / "rollbacks.json", {"step": 10, "skipped": 5, "finding": "loss became NaN"}
    for path in places(entry):
        for odd in ODD if not path else [*ODD, ...]:
            file.write_text(json.dumps([replaced(entry, path, odd)]))
            try:
                assert all(type(Rollbacks(file).position(step)) is int for step in (0, 10))
            except UserError as error:
                assert f"{file} cannot be read" in str(error)
                assert "\n" not in str(error)
    for content in CONTENTS:
        file.write_bytes(content)
        if content != b"[]":
            with pytest.raises(UserError, match="cannot be read"):
                Rollbacks(file)


def test_what_an_evaluation_is_written_beside_may_be_anything(tmp_path):
    folder = RunFolder(tmp_path)
    for content in [*CONTENTS, *(json.dumps(odd).encode() for odd in ODD)]:
        folder.eval_file.write_bytes(content)
        folder.write_evaluation({"step": 3, "figures": {}})
        assert json.loads(folder.eval_file.read_text()) == {"step": 3, "figures": {}}


def chunks(content):
    """The kinds and data of a PNG's chunks."""
    found, at = [], 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def png(parts):
    """A PNG of chunks, whose checksums are right."""
    whole = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def test_a_damaged_picture_is_passed_over_whatever_pillow_raises(run):
    path = run / "samples" / "step_0000010.png"
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    kinds = [
        b"IHDR",
        b"IDAT",
        b"PLTE",
        b"tRNS",
        b"iCCP",
        b"zTXt",
        b"iTXt",
        b"acTL",
        b"fcTL",
        b"fdAT",
        b"pHYs",
        b"gAMA",
        b"eXIf",
    ]
    broken = 0
    for _ in range(400):
        parts = chunks(good)
        kind = kinds[rng.integers(len(kinds))]
        parts.insert(rng.integers(len(parts)), (kind, rng.bytes(rng.integers(40))))
        at = rng.integers(len(parts))
        data = bytearray(parts[at][1])
        if data:
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        parts[at] = parts[at][0], bytes(data)
        path.write_bytes(png(parts))
        broken += embed(1, path, large=True) is None
    assert broken > 100


@pytest.mark.parametrize(
    "error", [ValueError, OSError, MemoryError, struct.error, IndexError, zlib.error, RecursionError]
)
@pytest.mark.parametrize("method", ["load", "convert"])
def test_a_picture_that_raises_is_passed_over(run, monkeypatch, method, error):
    def refuse(*_, **__):
        raise error("no")

    monkeypatch.setattr(PIL.Image.Image if method == "convert" else PIL.PngImagePlugin.PngImageFile, method, refuse)
    monkeypatch.setattr("jaxgen.report.page.LARGE_BYTES", 0)
    assert embed(1, run / "samples" / "step_0000010.png", large=True) is None


def test_a_picture_too_large_for_memory_is_passed_over_in_silence(run, recwarn):
    path = run / "samples" / "step_0000010.png"
    for side in (10_000, 2**31 - 1):
        (_, header), *rest = chunks(path.read_bytes())
        path.write_bytes(png([(b"IHDR", struct.pack(">II", side, side) + header[8:]), *rest]))
        assert embed(1, path, large=True) is None
    assert not recwarn.list


def test_a_picture_that_is_no_png_starts_no_program(run, tmp_path, monkeypatch):
    """Pillow would hand an EPS to Ghostscript."""
    gs, marker = tmp_path / "bin" / "gs", tmp_path / "it ran"
    gs.parent.mkdir()
    gs.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    gs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gs.parent}:{os.environ['PATH']}")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n0 0 moveto\n%%EOF\n"
    path = tmp_path / "x.eps"
    path.write_bytes(eps)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    with pytest.raises(Exception, match=r"."):
        PIL.Image.open(path).load()
    assert marker.exists()  # it would have worked
    marker.unlink()
    for name in ("samples/step_0000010.png", "drawings/curve.png"):
        (run / name).write_bytes(eps)
    write_report(run)
    assert not marker.exists()
    assert "<img" not in (run / "report.html").read_text()


@pytest.mark.parametrize("name", ["samples/step_0000010.png", "drawings/curve.png", "metrics.jsonl", "eval.json"])
def test_a_link_that_leads_out_of_the_run_is_not_shown(run, name):
    shown = {
        "samples/step_0000010.png": "Samples of the model at step 10",
        "drawings/curve.png": "curve",
        "metrics.jsonl": "goes from 1.5",
        "eval.json": "1.50",
    }[name]
    outside = run.parent / "secret"
    (run / name).rename(outside)
    (run / name).symlink_to(outside)
    write_report(run)
    assert shown not in (run / "report.html").read_text()
    (run / name).unlink()
    (run / "kept").mkdir()
    outside.rename(run / "kept" / "x")
    (run / name).symlink_to(run / "kept" / "x")
    write_report(run)
    assert shown in (run / "report.html").read_text()
