"""Whose code may run: an experiment is a program, and a folder of somebody else's run says which one it wants.

What a user has named on a command line is trusted from then on, by its path; what only a run folder names is not.
"""

import contextlib
from pathlib import Path

import platformdirs

from jaxgen.errors import UserError


def trust(file: Path) -> None:
    """Remembers that the user named a file."""
    path = file.resolve()
    if path not in _trusted() and "\n" not in str(path):  # two lines would trust the second's file
        with contextlib.suppress(OSError):  # no home to write to: `check_trusted` will ask again
            _record().parent.mkdir(parents=True, exist_ok=True)
            with _record().open("a", encoding="utf-8", errors="surrogateescape") as record:
                record.write(f"{path}\n")


def check_trusted(file: Path, run: Path) -> None:
    """Refuses a file that a run folder names and the user never did.

    Raises:
      UserError: says how to trust it.
    """
    if file.resolve() not in _trusted():
        raise UserError(
            f"run folder {run} wants to run {file}, which nobody named on a command line here; read it, and if you "
            f"trust it, name it once: `jaxgen train {file} --help`."
        )


def _trusted() -> set[Path]:
    with contextlib.suppress(OSError):
        return {Path(line) for line in _record().read_text("utf-8", "surrogateescape").split("\n") if line}
    return set()


def _record() -> Path:
    return platformdirs.user_state_path("jaxgen") / "trusted_experiments"
