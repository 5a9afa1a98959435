"""Files of a folder of one's own: which there are, which are held out, and what tells them from others."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jaxgen.errors import UserError


def found(folder: Path, suffixes: Sequence[str], kinds: str) -> list[Path]:
    """Files of a folder and of its subfolders whose names end so, relative to it, in order; hidden ones are not ours.

    Args:
      folder: where.
      suffixes: in lower case, such as ".png".
      kinds: what they are, for messages.

    Raises:
      UserError: it is no folder, or a folder in it cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name one that holds {kinds} files.")
    paths = [Path(root, name) for root, _, names in os.walk(folder, onerror=_raise) for name in names]
    files = sorted(path.relative_to(folder) for path in paths if path.suffix.lower() in suffixes)
    return [file for file in files if not any(part.startswith(".") for part in file.parts)]


def held_out(files: Sequence[Path], share: float) -> set[Path]:
    """A share of the files by a hash of their names, so that files can be added; one at least."""
    rank = {file: _rank(file) for file in files}
    least = min(rank.values())
    return {file for file, each in rank.items() if each == least or int.from_bytes(each[:6], "big") < share * 2**48}


def mixed(files: Iterable[Path]) -> list[Path]:
    """By that hash: whoever takes the first few of a folder sorted by class sees some of every class."""
    return sorted(files, key=_rank)


def _rank(file: Path) -> bytes:
    return hashlib.sha256(file.as_posix().encode(errors="surrogateescape")).digest()


def fingerprint(folder: Path, files: Sequence[Path]) -> dict[str, Any]:
    """Their number, their bytes, and a hash of their names and sizes."""
    sizes = {str(file): (folder / file).stat().st_size for file in files}
    text = "\n".join(f"{name} {size}" for name, size in sizes.items())
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
    return {"files": len(sizes), "bytes": sum(sizes.values()), "sha256": digest}


def check_share(share: float) -> None:
    """Refuses a held-out share that leaves nothing on one side.

    Raises:
      UserError: it is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise UserError(f"held_out is {share}; it must be between 0 and 1.")


def _raise(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read ({error.strerror}); make it readable, or name another folder.")
