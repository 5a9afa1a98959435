"""Writing a file so that a reader never meets half of it."""

import os
import pathlib


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes `content` to a temporary neighbour and renames it over `path`: the old file or the new, nothing between.

    Args:
      path: the file; missing folders above it are made.
      content: its bytes.

    Raises:
      OSError: the disk is full or the folder cannot be written; `path` is then as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
