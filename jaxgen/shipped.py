"""The experiments that come with the library, by name: read and listed without importing any of them."""

from pathlib import Path

import jaxgen
from jaxgen.closest import closest
from jaxgen.errors import UserError


def folder() -> Path:
    """Where they are: in the package that a wheel installed, or beside the package in a checkout."""
    package = Path(jaxgen.__file__).parent
    inside = package / "_experiments"
    return inside if inside.is_dir() else package.parent / "experiments"


def find(name: str) -> Path:
    """The file of an experiment: a path, if it has a slash or ends in `.py`; otherwise the shipped one of that name.

    The current folder is not searched: what `jaxgen train vae` runs does not depend on where it is typed.

    Raises:
      UserError: none of that name is shipped.
    """
    if "/" in name or name.endswith(".py"):
        return Path(name)
    shipped = {file.stem: file for file in folder().glob("*/*.py")}
    if name in shipped:
        return shipped[name]
    named = {file.stem: f"./{file.name}" for file in Path().glob("*.py")} | {each: each for each in shipped}
    close = closest(name, named)
    meant = f"did you mean {named[close]}?" if close else "`jaxgen list` shows them all."
    raise UserError(f"no experiment is called {name!r}; {meant} A file of your own is named with a slash: ./{name}.py")
