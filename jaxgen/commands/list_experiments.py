"""`jaxgen list`: the experiments of a folder, read and not run: a folder may hold programs that are none."""

import ast
import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import tyro
from rich.table import Table

from jaxgen import shipped
from jaxgen.commands.arguments import parse
from jaxgen.console import Console, plain
from jaxgen.errors import UserError

HEADERS = ("method", "needs", "paper", "measured")


@dataclasses.dataclass(frozen=True)
class Options:
    """The experiments of a folder and of the folders in it."""

    folder: tyro.conf.Positional[Path | None] = None
    """Where the files are (default: the shipped ones)."""


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    folder = parse(Options, args, "jaxgen list").folder or shipped.folder()
    paths = sorted([*folder.glob("*.py"), *folder.glob("*/*.py")])
    found = {path: columns for path in paths if (columns := describe(path)) is not None}
    if not found:
        raise UserError(f"folder {folder} holds no experiments; name the one that does.")
    shown = [header for header in HEADERS if any(columns[header] for columns in found.values())]
    table = Table(title=plain(f"experiments in {folder}"))
    table.add_column("experiment", no_wrap=True)  # to be copied
    for header in shown:
        table.add_column(header)
    for path, columns in found.items():
        name = path.relative_to(folder).with_suffix("").as_posix()
        table.add_row(plain(name), *(plain(columns[header]) for header in shown))
    Console().print(table)


def describe(path: Path) -> dict[str, str] | None:
    """What a file says of itself, one text a header, where it is an experiment: has a `Config` and an `experiment`.

    Texts are the module's own METHOD, NEEDS, PAPER and MEASURED; where it has none, the first sentence of its docstring
    for the method, and for the others what `experiment` passes on as `paper` and `measured`. Nothing is computed: what
    is no plain text in the file stays empty.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd literals
            module = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    texts = dict(_assigned(module.body))
    defined = texts.keys() | {node.name for node in module.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    imported = (alias for node in module.body if isinstance(node, ast.ImportFrom) for alias in node.names)
    if not {"Config", "experiment"} <= defined | {alias.asname or alias.name for alias in imported}:
        return None
    passed = {}
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name == "experiment":
            local = texts | dict(_assigned(node.body))
            calls = (call for call in ast.walk(node) if isinstance(call, ast.Call))
            words = ((word.arg, _text(word.value, local)) for call in calls for word in call.keywords)
            passed = {name: text for name, text in words if text}
    about = " ".join((ast.get_docstring(module) or "").split("\n\n")[0].split())
    passed["method"] = about
    return {header: texts.get(header.upper()) or passed.get(header, "") for header in HEADERS}


def _assigned(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The names that statements give to something, and the text if it is one."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((target.id, _text(node.value, {})) for target in targets if isinstance(target, ast.Name))


def _text(node: ast.expr | None, names: dict[str, str]) -> str:
    """A literal's text, or that of a name; several, joined by commas; else nothing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return ", ".join(filter(None, (_text(element, names) for element in node.elts)))
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""
