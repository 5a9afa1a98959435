"""Of a damaged `metrics.jsonl` what is whole is read, and what is not is counted."""

import json

import pytest

from jaxgen.rows import read_rows
from jaxgen.training.logging import MetricLog
from jaxgen.training.run_folder import RunFolder

GOOD = [{"step": step, "a/loss": 1 / step} for step in (10, 20, 30)]
LINES = [json.dumps(row).encode() for row in GOOD]
DAMAGE = {
    "garbage": b"garbage",
    "half": b'{"step": 15, "a/lo',
    "two in one": b'{"step": 15, "a{"step": 15, "a/loss": 1.0}',
    "no step": b'{"a/loss": 1.0}',
    "a step in words": b'{"step": "15", "a/loss": 1.0}',
    "a step that is true": b'{"step": true, "a/loss": 1.0}',
    "half a step": b'{"step": 15.5}',
    "a step before the first": b'{"step": -1}',
    "a step of 400 digits": b'{"step": ' + b"1" * 400 + b"}",
    "a step of 5,000 digits": b'{"step": ' + b"1" * 5000 + b"}",
    "an infinite step": b'{"step": 1e999}',
    "no object": b"[15, 1.0]",
    "null": b"null",
    "no UTF-8": b'{"step": 15, "\xff": 1.0}',
    "zeros": b"\0" * 40,
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("place", [0, 1, 3], ids=["first", "second", "last"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_line_does_not_block_a_resume(tmp_path, damage, place):
    folder = RunFolder(tmp_path)
    content = b"\n".join([*LINES[:place], damage, *LINES[place:], b""])
    folder.metrics_file.write_bytes(content)
    assert read_rows(folder.metrics_file) == (GOOD, 1)
    said = []
    for _ in range(2):
        MetricLog(folder, 20, 1, said.append).close()
        assert folder.metrics_file.read_bytes() == b"\n".join([*LINES[:2], b""])
    aside = tmp_path / "metrics.damaged-1.jsonl"
    assert said == [
        f"1 lines of {folder.metrics_file} are damaged and left out; the file as it was is kept as {aside.name}."
    ]
    assert aside.read_bytes() == content


@pytest.mark.parametrize("end", [b'{"step": 40, "a/lo', b"", b"\n", b"\n\n", b'\xff"'])
def test_half_a_line_at_the_end_is_no_damage(tmp_path, end):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"\n".join([*LINES, end]))
    assert read_rows(path) == (GOOD, 0)


def test_a_line_s_only_end_is_its_newline(tmp_path):
    """Python's other ends of lines may stand in a metric's name."""
    row = {"step": 1, "a\u2028b\u0085c\x0bd": 2.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n")
    assert read_rows(tmp_path / "metrics.jsonl") == ([row], 0)


def test_a_second_damage_keeps_the_first(tmp_path):
    folder = RunFolder(tmp_path)
    for number, damage in enumerate([b"one\n", b"two\n"], start=1):
        folder.metrics_file.write_bytes(damage)
        MetricLog(folder, 0, 1, lambda sentence: None).close()
        assert (tmp_path / f"metrics.damaged-{number}.jsonl").read_bytes() == damage
