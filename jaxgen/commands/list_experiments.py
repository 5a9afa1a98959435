"""`jaxgen list`: a line an experiment, or all of one; files are read and not run: a folder may hold other programs."""

import ast
import dataclasses
import json
import re
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tyro

from jaxgen import measured, shipped
from jaxgen.commands.arguments import parse
from jaxgen.console import Console, printable
from jaxgen.errors import UserError

NOT_RUN = "not yet run"
_FIGURE = 30  # characters of a figure on an experiment's line


@dataclasses.dataclass(frozen=True)
class Options:
    """The shipped experiments, or those of a folder and of the folders in it, which are families: a line each, with the
    first figure that was measured. Of one experiment, all it says of itself."""

    what: tyro.conf.Positional[Path | None] = None
    """An experiment, by its name or the path of its file, or a folder (default: the shipped ones)."""
    json: bool = False
    """Print one JSON object an experiment and line."""
    markdown: bool = False
    """Print a page in Markdown, which says how an experiment is written, too."""


@dataclasses.dataclass(frozen=True)
class Described:
    """What a file says of itself.

    Attributes:
      family: its folder; "" where the listed folder holds it itself.
      name: the file's, without its ending.
      method: what it trains.
      needs: which data and machine it takes.
      paper: where the method comes from.
      measured: what it reached, by data set; `NOT_RUN` where there are settings and no figure. Where the
        shipped `figures.jsonl` has figures of a data set, they stand in place of the file's.
    """

    family: str
    name: str
    method: str
    needs: str
    paper: str
    measured: Mapping[str, str]


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Options, args, "jaxgen list")
    what = options.what or shipped.folder()
    one = not what.is_dir()
    if one:
        file = shipped.find(str(options.what))
        folder, paths = file.parents[1] if shipped.folder() in file.parents else file.parent, [file]
    else:
        folder = what
        paths = sorted([*folder.glob("*.py"), *folder.glob("*/*.py")], key=lambda path: (path.parent, path.stem))
    found = [each for path in paths if (each := describe(path, folder)) is not None]
    reached = measured.of_experiments(folder / "figures.jsonl") if folder == shipped.folder() else {}
    found = [dataclasses.replace(each, measured={**each.measured, **reached.get(each.name, {})}) for each in found]
    if not found:
        kind = "is no experiment" if one else "holds no experiments"
        raise UserError(f"{paths[0] if one else folder} {kind}; `jaxgen list` shows those that are shipped.")
    families = {each.family: [other for other in found if other.family == each.family] for each in found}
    if options.json:
        for each in found:
            print(json.dumps(dataclasses.asdict(each)))
    elif options.markdown:
        Console().print(_page(families), end="", markup=False, emoji=False, highlight=False, soft_wrap=True)
    else:
        console = Console()
        text = _whole(found[0], console.width) if one else _lines(families, str(folder), console.width)
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


def describe(path: Path, folder: Path | None = None) -> Described | None:
    """What a file says of itself, where it is an experiment: has a `Config` and a function `experiment`.

    It says it by literals METHOD, NEEDS, PAPER and MEASURED of the module, all of which it may leave out; the first
    sentence of its docstring stands for METHOD. MEASURED and PRESETS go by data sets. Nothing is computed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd literals
            module = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    given: dict[str, ast.expr | None] = {}
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            given |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}
    defined = given.keys() | {node.name for node in module.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    imported = (alias for node in module.body if isinstance(node, ast.ImportFrom) for alias in node.names)
    if not {"Config", "experiment"} <= defined | {alias.asname or alias.name for alias in imported}:
        return None
    about = " ".join((ast.get_docstring(module) or "").split("\n\n")[0].split())
    presets = given.get("PRESETS")
    keys = presets.keys if isinstance(presets, ast.Dict) else []
    data = [name for key in keys if (name := _text(key)) and name != "other"]
    figures = _literal(given.get("MEASURED"))
    measured = {str(k): str(v) for k, v in figures.items()} if isinstance(figures, dict) else {"": _text(figures)}
    measured = {
        name: measured.get(name, NOT_RUN) for name in dict.fromkeys([*data, *filter(None, measured)])
    } or measured
    return Described(
        "" if path.parent == (folder or path.parent) else path.parent.name,
        path.stem,
        _text(given.get("METHOD")) or about,
        _text(given.get("NEEDS")),
        _text(given.get("PAPER")),
        measured if any(measured.values()) else {"": NOT_RUN},
    )


def _literal(node: ast.expr | None) -> Any:
    """The value of a literal; None where something is computed."""
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _text(value: Any) -> str:
    """A text; several, joined by commas; else nothing."""
    value = _literal(value) if isinstance(value, ast.expr) else value
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_text, value)))
    return value if isinstance(value, str) else ""


def _lines(families: Mapping[str, Sequence[Described]], folder: str, width: int) -> str:
    """Families of experiments, each a line of at most `width` characters: name, what it is, its first figure."""
    lines = []
    for family, members in families.items():
        lines += ["", printable(family or folder)]
        names = max(len(printable(each.name)) for each in members)
        about = max(10, width - names - _FIGURE - 4)
        for each in members:
            figure = next((figure for figure in each.measured.values() if figure != NOT_RUN), NOT_RUN)
            cells = printable(each.name), _cut(each.method, about), _cut(re.split(r" \(|; ", figure)[0], _FIGURE)
            lines.append(f"{cells[0]:{names}}  {cells[1]:{about}}  {cells[2]}".rstrip())
    return "\n".join(
        [*lines[1:], "", "`jaxgen list NAME` tells all of one: its paper, its data sets and their figures."]
    )


def _cut(text: str, width: int) -> str:
    """The text, or as many of its words as fit."""
    return textwrap.shorten(printable(text), width, placeholder=" …", break_on_hyphens=False)


def _whole(each: Described, width: int) -> str:
    """All that is known of an experiment, in lines of at most `width` characters where words allow it."""
    rows = {"needs": each.needs, "paper": each.paper, **{name or "measured": x for name, x in each.measured.items()}}
    rows = {printable(name): printable(text) for name, text in rows.items() if text}
    column = max(map(len, rows)) + 2
    parts = [textwrap.fill(f"{printable(each.name)}: {printable(each.method)}", width), ""]
    for name, text in rows.items():
        parts.append(textwrap.fill(text, width, initial_indent=f"{name:{column}}", subsequent_indent=" " * column))
    return "\n".join(parts)


def _page(families: Mapping[str, Sequence[Described]]) -> str:
    parts = [_INTRODUCTION]
    for family, members in families.items():
        parts += [
            f"\n## {family or 'experiments'}\n\n",
            "| experiment | what it is | needs | data | measured |\n|---|---|---|---|---|\n",
        ]
        for each in members:
            about = [f"`{each.name}`", f"{each.method} {each.paper}".strip(), each.needs]
            for row, (data, figure) in enumerate(each.measured.items()):
                cells = [*(about if row == 0 else [""] * 3), data and f"`{data}`", figure]
                parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(parts)


_INTRODUCTION = '''# Experiments

One file a method, data an option: `jaxgen train vae`, `jaxgen train vae --data mnist`, `jaxgen train dcgan --data
photos --size 64`. Without `--data` a method trains on the first of its data sets here. A data set brings its preset,
the defaults of all other options: `jaxgen train vae --data mnist --help` shows them.

Figures are what was reached by presets, or by the settings that stand beside them. Those that say of how many seeds
they are (mean ± standard deviation, and in brackets what null controls get, then seconds of processor time) are of
`figures.jsonl`, which `python benchmarks/figures.py` writes; the others are older than the present order of examples,
which draws other batches.

This page is what `jaxgen list --markdown` prints; `jaxgen list` has a line an experiment,
`jaxgen list NAME` all of one, `--json` the same for programs.

## How an experiment is written

A file in one of the families, or one of your own anywhere, named by its path: `jaxgen train ./mine.py`. It may import
what lies beside it and what the shipped experiments share, such as `head`. Nothing is registered.

```python
"""A sentence that says what it is: it becomes the first column below."""

import dataclasses

import optax
from head import Head, signed

from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import gaussian
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Kingma & Welling, 2014"
MEASURED = {}  # data set -> what its preset reached, with the spread over seeds and the machine


@dataclasses.dataclass(frozen=True)
class Config(Head):  # data, size, steps, batch_size, learning_rate, seed, dtype; a field more is an option more
    """Settings."""

    latent_size: int = 16
    """Length of z."""


PRESETS = {"digits": Config(), "mnist": Config(steps=5000), "other": Config(steps=10_000)}


def experiment(config: Config) -> Experiment:
    """What shapes and ranges are, the data says."""
    data, adam = signed(config.load()), optax.adam(config.learning_rate)
    encoder = MLPEncoder(config.latent_size, (256,), config.dtype)
    decoder = MLPDecoder(data.spec["image"].shape, (256,), outputs=2, dtype=config.dtype)
    return Experiment(
        method=vae(Net(encoder, adam), Net(decoder, adam), gaussian, latent_size=config.latent_size),
        data=data,
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
    )
```
'''
