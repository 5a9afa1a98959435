"""The folder of a run belongs to it from the first moment, or is free for the next start."""

import json

import pytest

from jaxgen.errors import UserError
from jaxgen.training.run_folder import RunFolder

SETTINGS = {"experiment": "a", "file": "a.py", "config": {}, "started": "now"}


def test_a_start_that_a_full_disk_refused_can_be_repeated(disk, fill):
    folder = RunFolder(disk / "run")
    fill(leave=0)
    with pytest.raises(UserError, match=r"run cannot be written \(No space left on device\); name another"):
        folder.create(SETTINGS)
    assert not folder.exists
    (disk / "filler").unlink()
    folder.create(SETTINGS)
    assert folder.exists
    assert folder.read_config() == SETTINGS


def test_what_a_killed_start_left_is_nobody_s(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / ".config.json.123.tmp").touch()
    assert not folder.exists
    (folder.path / "thesis.tex").touch()
    assert folder.exists
    with pytest.raises(UserError, match="is not a run of jaxgen"):
        folder.read_config()


def test_settings_hold_from_the_first_checkpoint_on(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SETTINGS | {"config": {"learning_rate": 100.0}})
    folder.check_same(SETTINGS | {"config": {"learning_rate": 0.1}})
    (folder.checkpoints / "5").mkdir()
    with pytest.raises(UserError, match=r"learning_rate is 0.1 but the run in .* began with 100.0"):
        folder.check_same(SETTINGS | {"config": {"learning_rate": 0.1}})


def test_what_is_known_of_samples_stays_while_the_step_is_the_same(tmp_path):
    folder = RunFolder(tmp_path)
    for step, parts, known in (
        (20, {"figures": 1}, {"figures": 1}),
        (20, {"figures": 1, "samples": 5}, {"figures": 1, "samples": 5}),
        (20, {"figures": 2}, {"figures": 2, "samples": 5}),
        (30, {"figures": 3}, {"figures": 3}),
    ):
        folder.write_evaluation({"step": step, **parts})
        assert json.loads(folder.eval_file.read_text()) == {"step": step, **known}
    folder.eval_file.write_text('{"step": 30, "sam')
    folder.write_evaluation({"step": 30, "figures": 4})
    assert json.loads(folder.eval_file.read_text()) == {"step": 30, "figures": 4}
