"""The folder of a run belongs to it from the first moment, or is free for the next start."""

import json
import shutil
import subprocess
import sys

import pytest

from jaxgen.errors import UserError
from jaxgen.training.run_folder import RunFolder

SETTINGS = {"experiment": "a", "file": "a.py", "config": {}, "started": "now", "fingerprint": {}}
DEFAULTS = {"learning_rate": 100.0}


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


def test_settings_hold_from_the_first_row_of_metrics_on(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SETTINGS | {"config": {"learning_rate": 100.0}})
    for trace in (folder.metrics_file, folder.checkpoints / "5"):
        folder.check_same(SETTINGS | {"config": {"learning_rate": 0.1}}, DEFAULTS)
        with pytest.raises(UserError, match="holds a run of a, not of b"):
            folder.check_same(SETTINGS | {"experiment": "b", "config": {"learning_rate": 100.0}}, DEFAULTS)
        if trace == folder.metrics_file:
            trace.write_text("{}\n")
        else:
            trace.mkdir()
        with pytest.raises(UserError, match=r"learning_rate is 0.1 but the run in .* began with 100.0"):
            folder.check_same(SETTINGS | {"config": {"learning_rate": 0.1}}, DEFAULTS)
        folder.metrics_file.write_text("")


def test_a_field_that_is_new_had_its_default_when_the_run_began(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SETTINGS)
    (folder.checkpoints / "5").mkdir()
    folder.check_same(SETTINGS | {"config": {"learning_rate": 100.0}}, DEFAULTS)
    with pytest.raises(UserError, match=r"learning_rate is 0.1 but the run in .* began with 100.0"):
        folder.check_same(SETTINGS | {"config": {"learning_rate": 0.1}}, DEFAULTS)


def test_a_run_starts_over_if_it_was_killed_before_its_first_checkpoint_but_not_if_its_checkpoints_are_gone(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SETTINGS)
    folder.metrics_file.write_text('{"step": 50}\n')
    (folder.checkpoints / "100.orbax-checkpoint-tmp").mkdir()
    folder.check_same(SETTINGS, {})
    folder.write_config(SETTINGS | {"ended": "later"})
    with pytest.raises(UserError, match="its checkpoints are gone; put them back, or start over with --fresh"):
        folder.check_same(SETTINGS, {})
    folder.write_config(SETTINGS)
    shutil.rmtree(folder.checkpoints)
    with pytest.raises(UserError, match="its checkpoints are gone"):
        folder.check_same(SETTINGS, {})


def test_other_data_and_runs_of_earlier_versions_are_refused(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SETTINGS | {"fingerprint": {"files": 300, "bytes": 12}})
    folder.metrics_file.write_text("{}\n")
    (folder.checkpoints / "5").mkdir()
    folder.check_same(SETTINGS | {"fingerprint": {"files": 300, "bytes": 12}}, {})
    for found, says in [({"files": 301, "bytes": 12}, "files: 300, now 301"), ({"files": 300}, "bytes: 12, now None")]:
        with pytest.raises(UserError, match=rf"data of the run in .* has changed \({says}\); put it back as it was"):
            folder.check_same(SETTINGS | {"fingerprint": found}, {})
    folder.write_config({name: value for name, value in SETTINGS.items() if name != "fingerprint"})
    with pytest.raises(
        UserError, match="was written by an earlier version, which named experiments and data otherwise"
    ):
        folder.read_config()


def test_one_process_trains_in_a_folder_until_it_dies(tmp_path):
    folder = RunFolder(tmp_path / "run")
    code = f"""
import pathlib, time
from jaxgen.training.run_folder import RunFolder
with RunFolder(pathlib.Path({str(folder.path)!r})).locked():
    print("locked", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(UserError, match="run is being trained in by another process; wait until"), folder.locked():
            pass
        other.kill()
    with folder.locked():
        assert not folder.exists  # the lock alone makes no run


def test_clearing_leaves_the_lock_and_what_links_point_to(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "far")
    (tmp_path / "kept").mkdir()
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.create(SETTINGS)
        (folder.path / "link").symlink_to(tmp_path / "kept")
        folder.clear()
        with pytest.raises(UserError, match="is being trained in"), folder.locked():
            pass
    assert [path.name for path in (tmp_path / "far").iterdir()] == [".lock"]
    assert (tmp_path / "kept").is_dir()
    assert (tmp_path / "run").is_symlink()
    assert not folder.exists


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
