"""What else a run folder, a user's file and the record of trust may hold: read, or as if it were gone."""

import json
import types

import pytest

from jaxgen.commands import bench, trust
from jaxgen.errors import UserError
from jaxgen.training import checkpoint
from jaxgen.training.evaluations import Evaluations
from jaxgen.training.run_folder import RunFolder

NULLS = {"only": {"untrained": {"loss": 2.0}, "nearest": {"constant": {"nearest": 1.0}}}}
ODD = [None, True, "x", [], [[1]], {"a": {"b": {}}}, 10**400, float("inf"), json.loads("[" * 900 + "]" * 900)]
CONTENTS = [b"", b"\xff\xfe", b"[]", b"null", b"7", b"[" * 100_000, b'{"only":' * 5_000, b"{" + b"\0" * 9]


def test_null_controls_that_cannot_be_read_are_computed_anew(tmp_path):
    folder = RunFolder(tmp_path)
    evaluations = types.SimpleNamespace(_folder=folder, _trainer=types.SimpleNamespace(stage="only"))
    damaged = [json.dumps(value).encode() for odd in ODD for value in (odd, {"only": odd}, {"only": {"nearest": odd}})]
    damaged += [json.dumps({"only": {"nearest": {"constant": odd}}}).encode() for odd in ODD]
    for content in [*CONTENTS, *damaged]:
        folder.nulls_file.write_bytes(content)
        kept = Evaluations._kept(evaluations)
        assert all(
            type(number) is float for found in kept.values() for nulls in found.values() for number in nulls.values()
        )
    folder.nulls_file.write_text(json.dumps(NULLS))
    assert Evaluations._kept(evaluations) == NULLS["only"]


def test_a_file_of_another_measurement_is_one_or_a_sentence(tmp_path):
    file = tmp_path / "other.json"
    damaged = [{"experiment": "x", "steps_per_second_rounds": odd} for odd in [*ODD, [None], ["a"], [-1.0], [10**400]]]
    for content in [*CONTENTS, *(json.dumps(value).encode() for value in [*ODD, *damaged])]:
        file.write_bytes(content)
        with pytest.raises(UserError, match="^against is"):
            bench._read(file, "x")
    file.write_text(json.dumps({"experiment": "x", "steps_per_second_rounds": [1.0, 2.0]}))
    assert bench._read(file, "x")["steps_per_second_rounds"] == [1.0, 2.0]


def test_a_score_that_is_no_number_is_none(tmp_path):
    folder = tmp_path / checkpoint._SCORE
    folder.mkdir()
    for content in [*CONTENTS, *(json.dumps({checkpoint._SCORE: odd}).encode() for odd in ODD if odd is not True)]:
        (folder / "metadata").write_bytes(content)
        assert checkpoint._read_score(tmp_path) is None
    (folder / "metadata").write_text(json.dumps({checkpoint._SCORE: 1.5}))
    assert checkpoint._read_score(tmp_path) == 1.5


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setattr(trust, "_record", lambda: tmp_path / "state" / "trusted")
    return tmp_path / "state" / "trusted"


def test_a_name_of_two_lines_trusts_no_second_file(record, tmp_path):
    evil = tmp_path / "evil.py"
    trust.trust(tmp_path / f"a\n{evil}")
    with pytest.raises(UserError, match="which nobody named"):
        trust.check_trusted(evil, tmp_path)


@pytest.mark.parametrize("name", ["plain.py", "with\u2028line.py", "bytes\udcff.py"], ids=ascii)
def test_a_file_of_any_other_name_is_trusted_once_named_beside_a_damaged_record(record, tmp_path, name):
    record.parent.mkdir()
    record.write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match="which nobody named"):
        trust.check_trusted(tmp_path / name, tmp_path)
    trust.trust(tmp_path / name)
    trust.check_trusted(tmp_path / name, tmp_path)
