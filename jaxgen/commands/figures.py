"""`jaxgen figures`: the figures that the field is taught by, drawn by the shipped experiments, on one page.

Which they are, `canon/` beside the experiments says. A figure is of a finished run: one that is there already with
the same settings, or one that this command trains in a folder named by a hash of those settings and of all code.
"""

import dataclasses
import hashlib
import importlib.util
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from rich.table import Table

from jaxgen import shipped
from jaxgen.commands import evaluate, sample, train
from jaxgen.commands.arguments import parse, parse_experiment
from jaxgen.commands.options import Figures
from jaxgen.console import Console, plain
from jaxgen.errors import UserError
from jaxgen.report.comparison import Recorded
from jaxgen.report.gallery import Illustration, Shown, from_run, from_table, write_gallery
from jaxgen.settings import config_to_json
from jaxgen.training import process
from jaxgen.training.distributed import code_version
from jaxgen.training.preemption import sigterm_raises
from jaxgen.training.run_folder import RunFolder, write_json


@dataclasses.dataclass(frozen=True)
class Planned:
    """A figure, and the run that it is of.

    Attributes:
      settings: the experiment's, as a run's `config.json` holds them.
      defaults: what settings a run did not have yet, when it was trained, stood for.
      own: the folder that it is trained in, where there is no other.
    """

    figure: Illustration
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any]
    own: Path

    def found(self, finished: Mapping[Path, Mapping[str, Any]]) -> Path | None:
        """A finished run of these settings: this command's own, if it is of this code, else one that a user trained."""
        if self.own in finished:
            return self.own
        others = (folder for folder in finished if folder.parent != self.own.parent)
        return next((folder for folder in others if self._same(finished[folder])), None)

    def _same(self, config: Mapping[str, Any]) -> bool:
        return config["experiment"] == self.figure.experiment and {**self.defaults, **config["config"]} == self.settings


@dataclasses.dataclass(frozen=True)
class _NoOptions:
    """No options."""


@sigterm_raises()
def main(args: Sequence[str]) -> None:
    """Runs the command.

    Raises:
      UserError: no figure has a name of `--only`, one could not be made, or one does not show what it claims.
    """
    options = parse(Figures, args, "jaxgen figures")
    options.apply()
    figures, console = _chosen(options.only), Console()
    process.configure()
    process.check_devices()
    plans, finished = _plans(figures, options.out / "runs"), _finished(options)
    shown = {
        figure.name: _shown(plans[figure.name], finished, options, make=False) if figure.experiment else _tabled(figure)
        for figure in figures
    }
    page = options.out / "index.html"
    _write(page, shown)
    costs = {"quick"} if options.quick else {"quick", "night"}
    missing = [name for name, each in plans.items() if not shown[name].made and each.figure.cost in costs]
    for index, name in enumerate(missing):
        console.rule(plain(f"figure {index + 1} of {len(missing)}: {plans[name].figure.title}"))
        shown[name] = _shown(plans[name], _finished(options), options, make=True)
        _write(page, shown)
        jax.clear_caches()  # the next experiment has other programs
    console.print(_table(shown))
    console.print(f"Wrote {page}", markup=False, highlight=False, soft_wrap=True)
    if failed := [name for name, each in shown.items() if each.problem]:
        raise UserError(f"{', '.join(failed)} could not be made; {page} says why.")
    if broken := [name for name, each in shown.items() if each.broken]:
        raise UserError(f"numbers of {', '.join(broken)} are not what the captions claim; {page} has both.")


def _chosen(names: Sequence[str]) -> list[Illustration]:
    """The figures of these names, in the page's order; all where none is named.

    Raises:
      UserError: there is none of a name.
    """
    figures = canon()
    known = [figure.name for figure in figures]
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"no figure is called {unknown[0]!r}; choose of {', '.join(known)}.")
    return [figure for figure in figures if figure.name in (names or known)]


def canon() -> Sequence[Illustration]:
    """Every figure, in the page's order."""
    spec = importlib.util.spec_from_file_location("jaxgen_canon", _canon_folder() / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its files are looked for there
    spec.loader.exec_module(module)
    return module.FIGURES


def _canon_folder() -> Path:
    return shipped.folder() / "canon"


def _plans(figures: Sequence[Illustration], folder: Path) -> dict[str, Planned]:
    """By name, of what experiments make."""
    written = (path for path in sorted(shipped.folder().rglob("*.py")) if path.parent != _canon_folder())
    code = code_version(*written)  # captions make no run another
    plans = {}
    for figure in (each for each in figures if each.experiment):
        args = [figure.experiment, *shlex.split(figure.options)]
        file, config, _ = parse_experiment(_NoOptions, args, "jaxgen train")
        settings, defaults = (config_to_json(c) for c in (config, file.preset(getattr(config, "data", None))))
        digest = hashlib.sha256(json.dumps([settings, code], sort_keys=True).encode()).hexdigest()[:10]
        plans[figure.name] = Planned(figure, settings, defaults, folder / f"{figure.experiment}-{digest}")
    return plans


def _finished(options: Figures) -> dict[Path, dict[str, Any]]:
    """The settings of every run that ended, by folder: `jaxgen train` puts them three deep, with seeds four."""
    found = {}
    for folder in (options.out / "runs", options.runs):
        for depth in ("*", "*/*", "*/*/*", "*/*/*/*"):
            for path in sorted(folder.glob(f"{depth}/config.json")):
                try:
                    config = RunFolder(path.parent).read_config()
                except UserError:  # of an earlier version, or no run at all
                    continue
                if "ended" in config:
                    found[path.parent] = config
    return found


def _shown(plan: Planned, finished: Mapping[Path, Mapping[str, Any]], options: Figures, *, make: bool) -> Shown:
    """A figure of a finished run; where that lacks something, of what is trained, evaluated and drawn if `make`."""
    figure, run = plan.figure, plan.found(finished)
    try:
        if run is None and make:
            run = plan.own
            train.main([figure.experiment, *shlex.split(figure.options), "--run-dir", str(run)])
        if run is None:
            return Shown(figure)
        known = Recorded.read(run).figures
        if figure.evaluated and any((claim.figure, claim.of) not in known for claim in figure.claims):
            if not make:
                return Shown(figure)
            evaluate.main([str(run), *shlex.split(figure.evaluated)])
        samples = _sampled(figure, run, options, make=make) if figure.sampled else None
        return Shown(figure) if figure.sampled and samples is None else from_run(figure, run, samples)
    except UserError as error:
        return Shown(figure, problem=str(error))


def _sampled(figure: Illustration, run: Path, options: Figures, *, make: bool) -> Path | None:
    """The file of a run's samples, kept by the hash of the run and of how they are drawn; None where it is not."""
    made_of = (run / "config.json").read_bytes() + figure.sampled.encode()
    samples = options.out / "samples" / f"{figure.name}-{hashlib.sha256(made_of).hexdigest()[:10]}.{figure.form}"
    if make and not samples.exists():
        samples.parent.mkdir(parents=True, exist_ok=True)
        sample.main([str(run), *shlex.split(figure.sampled), "--out", str(samples)])
    return samples if samples.exists() else None


def _tabled(figure: Illustration) -> Shown:
    """A table, of the numbers that there are."""
    table = figure.table() if figure.table is not None else None
    return Shown(figure) if table is None else from_table(figure, table)


def _write(page: Path, shown: Mapping[str, Shown]) -> None:
    """Writes the page, and beside it the numbers."""
    write_gallery(page, list(shown.values()))
    numbers = {
        name: {
            "numbers": {f"{claim.of} {claim.figure}".strip(): number for claim, number in each.numbers.items()},
            "seconds": each.seconds,
            "made": each.made,
        }
        for name, each in shown.items()
        if each.made
    }
    write_json(page.with_name("figures.json"), numbers)


def _table(shown: Mapping[str, Shown]) -> Table:
    table = Table(title="figures")
    for header in ("figure", "numbers", "seconds"):
        table.add_column(header, justify="right" if header == "seconds" else "left")
    for name, each in shown.items():
        said = "; ".join(
            f"{claim.text} {number}{'' if holds else f', not {claim.range}'}" for claim, number, holds in each.claims
        )
        seconds = "" if each.seconds is None else f"{each.seconds:,.0f}"
        table.add_row(plain(name), plain(said if each.made else each.problem or "not yet run"), seconds)
    return table
