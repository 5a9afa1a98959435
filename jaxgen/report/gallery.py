"""The page of figures: what each shows, the command that makes it, and the numbers that its caption claims."""

import base64
import dataclasses
import datetime
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from jaxgen.files import write_atomically
from jaxgen.report.comparison import Recorded
from jaxgen.report.curves import Panel, panels
from jaxgen.report.page import Picture, date, embed, inside, read_json, render
from jaxgen.rounding import rounded

HEAVY = 200_000  # bytes of a picture beyond which it is a WebP: a hundred are to fit into 25 MB


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a figure's caption says, as a number of the run.

    Attributes:
      text: of what the number is.
      figure: its name in `eval.json`.
      least: it is no less.
      most: it is no more.
      of: the null control, or the other data, that has it; empty for the run itself.
    """

    text: str
    figure: str
    least: float = -math.inf
    most: float = math.inf
    of: str = ""

    @property
    def range(self) -> str:
        """What it has to be, in words."""
        least, most = (f"{bound:,.6g}" for bound in (self.least, self.most))
        if math.isinf(self.least):
            return f"at most {most}"
        return f"at least {least}" if math.isinf(self.most) else f"{least} to {most}"

    def holds(self, numbers: Mapping[tuple[str, str], float]) -> bool:
        """Whether a run's numbers, by figure and what got it, say so."""
        return self.least <= numbers.get((self.figure, self.of), math.nan) <= self.most


@dataclasses.dataclass(frozen=True)
class Table:
    """Numbers of many runs side by side.

    Attributes:
      head: the columns' names.
      rows: texts, one a column.
      numbers: what claims are of, `(figure, what got it) -> number`.
      made: of what, and when.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Mapping[tuple[str, str], float]
    made: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Illustration:
    """A figure that an experiment makes, or a table of what many have made.

    Attributes:
      name: what a command calls it.
      family: the part of the page that it is in.
      title: what it is of.
      text: what it shows, in two sentences.
      alt: the picture in words, for who cannot see it.
      experiment: what is trained; empty of a table.
      options: of `jaxgen train`.
      picture: which file of the run's folder, as a pattern; of several the last. Empty where there is none.
      sampled: options of `jaxgen sample`, where samples of a finished run are shown.
      form: of those samples: a picture, text or sound.
      curves: metrics of training, drawn as curves.
      evaluated: options of `jaxgen eval`, where a claim needs them.
      claims: what makes it true.
      remark: what is often told otherwise.
      cost: made with `--quick`, by a night's computing on two cores, or by an accelerator that somebody lends.
      table: reads the numbers that were measured; gives None where there are none.
      command: what measures those.
    """

    name: str
    family: str
    title: str
    text: str
    alt: str
    experiment: str = ""
    options: str = ""
    picture: str = ""
    sampled: str = ""
    form: Literal["png", "txt", "wav"] = "png"
    curves: tuple[str, ...] = ()
    evaluated: str = ""
    claims: tuple[Claim, ...]
    remark: str = ""
    cost: Literal["quick", "night", "accelerator"] = "night"
    table: Callable[[], Table | None] | None = None
    command: str = ""

    @property
    def commands(self) -> list[str]:
        """What a user types, `RUN` being the folder that the first of them names."""
        if self.command:
            return [self.command]
        to_file = {"png": "", "txt": "--out samples.txt", "wav": "--out samples.wav"}[self.form]
        more = ("eval", self.evaluated), ("sample", " ".join(filter(None, (self.sampled, to_file))))
        return [
            " ".join(filter(None, ("jaxgen train", self.experiment, self.options))),
            *(f"jaxgen {command} RUN {options}" for command, options in more if options),
        ]


@dataclasses.dataclass(frozen=True)
class Shown:
    """A figure as the page has it.

    Attributes:
      picture: embedded; None where there is none yet.
      text: samples that are text.
      sound: samples that are heard, as a data URI.
      table: None where the figure is of a run.
      curves: charts.
      numbers: by claim.
      made: by what and when; empty where it was not.
      seconds: from the run's start to its end; None where it does not say.
      problem: why it could not be made.
    """

    figure: Illustration
    picture: Picture | None = None
    text: str = ""
    sound: str = ""
    table: Table | None = None
    curves: Sequence[Panel] = ()
    numbers: Mapping[Claim, float] = dataclasses.field(default_factory=dict)
    made: str = ""
    seconds: float | None = None
    problem: str = ""

    @property
    def claims(self) -> list[tuple[Claim, str, bool]]:
        """Each claim, its number as text, and whether it holds."""
        of = {(claim.figure, claim.of): number for claim, number in self.numbers.items()}
        return [(claim, rounded(self.numbers.get(claim))[0], claim.holds(of)) for claim in self.figure.claims]

    @property
    def broken(self) -> bool:
        """Whether it was made and does not show what it claims."""
        return bool(self.made) and not all(holds for _, _, holds in self.claims)


def from_table(figure: Illustration, table: Table) -> Shown:
    """A table of numbers that were measured."""
    numbers = {claim: table.numbers[claim.figure, claim.of] for claim in figure.claims}
    return Shown(figure, table=table, numbers=numbers, made=table.made)


def from_run(figure: Illustration, run: Path, samples: Path | None) -> Shown:
    """A figure of a finished run.

    Args:
      figure: which.
      run: the folder.
      samples: those that were drawn for it; None where a file of the run is shown.

    Raises:
      UserError: one of the run's JSON files cannot be read.
    """
    recorded, config = Recorded.read(run), read_json(run, "config.json") or {}
    found = recorded.figures
    picture = samples if figure.form == "png" else None
    if samples is None and figure.picture:
        picture = max((path for path in run.glob(figure.picture) if inside(run, path)), default=None)
    wanted = {"step", *figure.curves}
    rows = [{name: value for name, value in row.items() if name in wanted} for row in recorded.rows]
    settings = recorded.settings
    parts = (f"seed {settings['seed']}" if "seed" in settings else "", settings["device"], f"jax {settings['jax']}")
    return Shown(
        figure,
        None if picture is None else embed(0, picture, large=True, heavy=HEAVY),
        samples.read_text(errors="replace") if samples is not None and figure.form == "txt" else "",
        _heard(samples) if samples is not None and figure.form == "wav" else "",
        curves=panels(rows) if figure.curves else (),
        numbers={claim: found[claim.figure, claim.of] for claim in figure.claims if (claim.figure, claim.of) in found},
        made=", ".join(filter(None, (*parts, date(config.get("ended"))))),
        seconds=_seconds(config.get("started"), config.get("ended")),
    )


def _heard(path: Path) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _seconds(started: object, ended: object) -> float | None:
    try:
        first, last = (datetime.datetime.fromisoformat(str(moment)) for moment in (started, ended))
        return (last - first).total_seconds()
    except (ValueError, TypeError):  # the second where only one of them has a zone
        return None


def write_gallery(path: Path, figures: Sequence[Shown]) -> None:
    """Writes the page, one file that needs no network; families in the order of their first figures."""
    families = {
        family: list(members) for family, members in itertools.groupby(figures, key=lambda shown: shown.figure.family)
    }
    written = date(datetime.datetime.now(datetime.UTC).isoformat())
    write_atomically(path, render("gallery.html", families=families, figures=figures, written=written).encode())
