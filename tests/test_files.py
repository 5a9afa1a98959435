"""Files are written where they belong, whole, and through no link that somebody left there."""

import os
import secrets
from pathlib import Path

import pytest

from jaxgen.errors import UserError
from jaxgen.files import AppendedFile, write_atomically
from jaxgen.training.run_folder import RunFolder


@pytest.fixture
def secret(tmp_path):
    """A file outside of the run's folder."""
    path = tmp_path / "secret"
    path.write_text("mine")
    yield path
    assert path.read_text() == "mine"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_the_neighbour_s_name_cannot_be_foreseen(folder, monkeypatch):
    names, replace = [], Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: (names.append(self.name), replace(self, target)))
    for _ in range(3):
        write_atomically(folder / "x", b"1")
    assert len(set(names)) == 3
    assert not any(str(os.getpid()) == part for name in names for part in name.split("."))


def test_a_link_in_the_neighbour_s_place_is_not_followed(folder, secret, monkeypatch):
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    (folder / f".x.{'0' * 16}.tmp").symlink_to(secret)
    with pytest.raises(OSError, match="x"):
        write_atomically(folder / "x", b"theirs")
    assert not (folder / "x").exists()


def test_a_link_in_the_file_s_place_is_replaced(folder, secret):
    (folder / "x").symlink_to(secret)
    write_atomically(folder / "x", b"theirs")
    assert not (folder / "x").is_symlink()
    assert (folder / "x").read_bytes() == b"theirs"


def test_a_link_is_not_appended_to(folder, secret):
    (folder / "x").symlink_to(secret)
    with pytest.raises(OSError, match="x"):
        AppendedFile(folder / "x")


def test_a_link_is_no_lock(folder, secret):
    run = RunFolder(folder)
    run.lock_file.symlink_to(folder / "elsewhere")
    with pytest.raises(UserError, match="cannot be written"), run.locked():
        pass
    assert not (folder / "elsewhere").exists()


def test_who_may_read_is_for_the_user_s_mask_to_say(folder):
    before = os.umask(0o027)
    try:
        write_atomically(folder / "x", b"")
    finally:
        os.umask(before)
    assert (folder / "x").stat().st_mode & 0o777 == 0o640
