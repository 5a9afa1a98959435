"""Writing files so that neither a kill nor a full disk loses what was there, and no link leads anywhere else."""

import contextlib
import errno
import io
import os
import pathlib
import secrets


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes `content` to a temporary neighbour and renames it over `path`: the old file or the new, nothing between.

    The neighbour is new and its name cannot be foreseen, so that nobody can have put a link there.

    Args:
      path: the file; missing folders above it are made. A link is replaced, not followed.
      content: its bytes.

    Raises:
      OSError: the disk is full or the folder cannot be written; `path` is then as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb", opener=no_link) as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        error.filename = str(path)  # the user knows nothing of the neighbour
        raise
    finally:
        with contextlib.suppress(OSError):  # the first error says more
            temporary.unlink(missing_ok=True)


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file that has an end, which pipes and devices need not have.

    Raises:
      OSError: it cannot be read, or is no file.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "no file", str(path))
    return path.read_bytes()


def no_link(path: str, flags: int) -> int:
    """An `opener` that refuses a link in the file's place."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


class AppendedFile:
    """A file that grows by whole records; what a full disk does not take waits in memory, in order.

    Args:
      path: the file; it may exist.

    Raises:
      OSError: it cannot be written, or is a link.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._file = io.FileIO(path, "a", opener=no_link)
        self._waiting = b""

    def append(self, record: bytes = b"") -> OSError | None:
        """Writes what waits and the record; returns the error that makes them wait."""
        self._waiting += record
        try:
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) :]
        except OSError as error:
            return error
        return None

    def close(self) -> None:
        """Closes the file; what still waits is lost."""
        self._file.close()
