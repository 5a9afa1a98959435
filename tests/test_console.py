"""What strangers chose as a name is printed, and not obeyed by the terminal."""

import ast
import io
from pathlib import Path

import pytest
from rich.table import Table

from jaxgen.console import Console, plain, printable, say

ROOT = Path(__file__).parent.parent
HOSTILE = {
    "\x1b[2J": r"\x1b[2J",
    "\x07\r\b\x7f\x9b": r"\x07\r\x08\x7f\x9b",
    "a\u202eb\u2066c": r"a\u202eb\u2066c",
    "\udcff": r"\udcff",
    "two\twords\nand a line, Fr\u00e9chet \u4e16": "two\twords\nand a line, Fr\u00e9chet \u4e16",
}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_a_terminal_would_obey_is_shown(text, capsys):
    shown = HOSTILE[text]
    assert printable(text) == shown
    say(text)
    assert capsys.readouterr().err == f"jaxgen: {shown}\n"


@pytest.mark.parametrize("where", ["line", "markup", "cell", "plain cell", "title", "header"])
def test_nothing_that_is_printed_holds_a_sequence_of_its_own(where):
    evil, file = "x\x1b[2J\x07y", io.StringIO()
    console = Console(file=file, force_terminal=False, width=100)
    table = Table(title=evil if where == "title" else None, min_width=50)
    table.add_column(evil if where == "header" else "")
    table.add_row(evil if where == "cell" else plain(evil) if where == "plain cell" else "")
    console.print(evil if where in ("line", "markup") else table, markup=where == "markup")
    assert "\x1b" not in file.getvalue()
    assert "\x07" not in file.getvalue()
    assert r"\x1b[2J\x07y" in file.getvalue()


def test_brackets_in_a_cell_are_no_markup():
    file, table = io.StringIO(), Table()
    table.add_column("")
    table.add_row(plain("[/] [red]a[/red]"))
    Console(file=file, width=100).print(table)
    assert "[/] [red]a[/red]" in file.getvalue()


def test_a_command_s_error_is_printable(jaxgen, capsys):
    assert jaxgen("eval", "no\x1b[2Jsuch\u202e") == 2
    err = capsys.readouterr().err
    assert r"no\x1b[2Jsuch\u202e does not exist" in err
    assert "\x1b" not in err


@pytest.fixture(scope="module")
def calls():
    """All calls in the library: their file, the function as it is written, and the call."""
    paths = sorted((ROOT / "jaxgen").rglob("*.py"))
    nodes = ((path, node) for path in paths for node in ast.walk(ast.parse(path.read_text())))
    return [(path, ast.unparse(node.func), node) for path, node in nodes if isinstance(node, ast.Call)]


def test_everything_is_printed_by_this_console(calls):
    """Otherwise only what holds no stranger's words: help, the version, and JSON, which escapes."""
    for path, function, call in calls:
        if function == "print" and path.name not in ("console.py", "cli.py"):
            assert ast.unparse(call.args[0]).startswith("json.dumps("), (path, ast.unparse(call))
        if function.endswith("Console") and path.name != "console.py":
            assert "from jaxgen.console import Console" in path.read_text(), path


def test_pillow_is_told_which_formats_a_file_may_have(calls):
    """The readers of some start programs."""
    opened = [(path, call) for path, function, call in calls if function.endswith("Image.open")]
    assert opened
    for path, call in opened:
        assert "formats" in {keyword.arg for keyword in call.keywords}, path
