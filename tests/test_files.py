"""Files are written where they belong, whole, and through no link that somebody left there."""

import os
import secrets
from pathlib import Path

import pytest

from jaxgen.data.lookup import named
from jaxgen.errors import UserError
from jaxgen.files import AppendedFile, read_regular, write_atomically
from jaxgen.report.page import read_json
from jaxgen.rows import read_rows
from jaxgen.training.rollback import Rollbacks
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


READERS = {
    "bytes": read_regular,
    "rows": read_rows,
    "rollbacks": Rollbacks,
    "report": lambda path: read_json(path.parent, path.name),
    "arrays": lambda path: len(named(f"{path}.npy").train),
    "text": lambda path: len(named(f"{path}.txt", length=8).train),
    "sound": lambda path: len(named(f"{path}.wav", length=8).train),
}


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
@pytest.mark.parametrize("reader", READERS)
def test_what_has_no_end_is_no_file(kind, reader, tmp_path):
    """Reading it would never end, or never begin."""
    for path in (tmp_path / f"x{ending}" for ending in ("", ".npy", ".txt", ".wav")):
        if kind == "device":
            path.symlink_to("/dev/zero")
        else:
            os.mkfifo(path) if kind == "pipe" else path.mkdir()
    if (reader, kind) == ("report", "device"):
        assert read_json(tmp_path, "x") is None  # a link that leads out of the run
        return
    with pytest.raises((OSError, UserError)):
        READERS[reader](tmp_path / "x")
