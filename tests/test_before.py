"""Every experiment that there was before phases had names gives what it gave: three toy-width steps to 1e-6."""

import importlib.util
import json
from pathlib import Path

import pytest

from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find

spec = importlib.util.spec_from_file_location("record", Path(__file__).parent / "before" / "record.py")
assert spec is not None
assert spec.loader is not None
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)
ROWS = json.loads(record.FILE.read_text())["experiments"]


def test_every_experiment_is_recorded_or_an_exception_with_its_reason():
    assert len(ROWS) == 56  # of commit 44ba45a
    assert not [name for name, row in ROWS.items() if "found" not in row or not row.get("exception", "a reason")]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if "exception" not in row])
def test_three_steps_are_what_they_were(name, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))  # no data are read
    then, now = ROWS[name]["found"], ROWS[name]["now"]
    file = ExperimentFile.load(find(now["name"]))
    experiment = file.build(file.config_from_json(now["settings"]))
    found = record.three_steps(experiment.method, experiment.batch_size, ROWS[name]["fields"], now.get("renamed", {}))

    def there(numbers):
        return {name: x for name, x in numbers.items() if not name.startswith(tuple(now.get("new", ())))}

    assert there(found["norms"]) == pytest.approx(then["norms"], rel=1e-6, abs=1e-6)
    for one, other in zip(found["losses"], then["losses"], strict=True):  # by their size, as phases had no names
        assert sorted(there(one).values()) == pytest.approx(sorted(other.values()), rel=1e-6, abs=1e-6)
