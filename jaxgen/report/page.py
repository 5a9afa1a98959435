"""The run's page: one self-contained HTML file that a browser shows with no network, and that can be mailed."""

import base64
import dataclasses
import datetime
import functools
import io
import itertools
import json
import os
import pathlib
import re
import warnings
from collections.abc import Mapping
from typing import Any

import jinja2
import PIL.Image
import PIL.ImageSequence

from jaxgen.errors import UserError
from jaxgen.files import read_regular, write_atomically
from jaxgen.report.curves import HEIGHT, WIDTH, panels
from jaxgen.report.directions import better
from jaxgen.rounding import is_number, rounded, show
from jaxgen.rows import read_rows

MOST_PICTURES = 24
LARGE_BYTES, SMALL_BYTES = 1_000_000, 64_000  # a PNG beyond this is embedded as WebP
LARGE_SIDE, SMALL_SIDE = 1200, 400  # of a picture embedded as WebP, pixels
MOST_FRAMES = 64  # of one that moves


@dataclasses.dataclass(frozen=True)
class Picture:
    """A sample picture as the page embeds it: step, data URI, size in pixels."""

    step: int
    uri: str
    width: int
    height: int


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure as text; `error` (standard error), `unit`, `nulls` (what null controls get), `better` may be empty."""

    name: str
    mean: str
    error: str
    unit: str
    nulls: str
    better: str


def write_report(run_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Writes `report.html` into a run folder from what the folder holds so far, also while training goes on.

    Reads `config.json`, and where present `metrics.jsonl`, `samples/step_<n>.png`, `drawings/*.png` and `eval.json`;
    links that lead out of the folder are passed over, and so is in a figure or a picture what is damaged.

    Args:
      run_dir: the run folder.

    Returns:
      The page's path.

    Raises:
      UserError: the folder is no run folder, or one of its JSON files cannot be read.
    """
    run_dir = pathlib.Path(run_dir)
    config = read_json(run_dir, "config.json")
    if config is None:
        raise UserError(f"{run_dir} has no config.json: pass a run folder that `jaxgen train` wrote.")
    settings = config.get("config")
    if "experiment" not in config or not isinstance(settings, dict):
        raise UserError(f"{run_dir}/config.json names no experiment: pass a run folder that `jaxgen train` wrote.")
    evaluation = {
        "examples": None,
        "step": None,
        "weights": None,
        "figures": {},
        **(read_json(run_dir, "eval.json") or {}),
    }
    rows, unreadable = read_rows(run_dir / "metrics.jsonl") if inside(run_dir, "metrics.jsonl") else ([], 0)
    begun = read_json(run_dir, "stages.json") or {}
    curves = panels(rows, {name: step for name, step in begun.items() if is_number(step)})
    pictures = timeline(run_dir)
    drawings = (path for path in sorted((run_dir / "drawings").glob("*.png")) if inside(run_dir, path))
    drawn = {path.stem: embed(0, path, large=True) for path in drawings}

    steps_seen = [row["step"] for row in rows] + [picture.step for picture in pictures[-1:]]
    versions = config.get("versions")
    try:
        page = render(
            run={"name": "default", "method": "", "data": "", "device": "", **config},
            versions=versions if isinstance(versions, Mapping) else {},
            command=config.get("command", "jaxgen train NAME"),
            folder=run_dir.as_posix(),
            step=max(steps_seen, default=0),
            steps=settings["steps"] if is_number(settings.get("steps")) else 0,
            ended="ended" in config,
            settings={name: show(value) for name, value in settings.items()},
            started=date(config.get("started")),
            written=date(datetime.datetime.now(datetime.UTC).isoformat()),
            evaluation=evaluation,
            weights=show(evaluation["weights"] or "").replace("ema", "averaged (EMA)"),
            figures=[*itertools.chain(*(figures(evaluation.get(kind)) for kind in ("figures", "whole_sets", "drawn")))],
            samples=described(evaluation.get("samples")),
            compared=compared(evaluation.get("samples")),
            curves=curves,
            unreadable=unreadable,
            pictures=pictures,
            drawings={name: drawing for name, drawing in drawn.items() if drawing is not None},
        )
    except RecursionError as error:
        raise UserError(f"{run_dir}: one of its JSON files is nested too deeply to be shown; mend it.") from error
    path = run_dir / "report.html"
    write_atomically(path, page.encode())
    return path


def render(template: str = "page.html", **values: Any) -> str:
    """A page's text; every value is escaped."""
    return _templates().get_template(template).render(chart_width=WIDTH, chart_height=HEIGHT, **values)


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jaxgen", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["commas"] = lambda count: f"{count:,}" if is_number(count) else show(count)
    return environment


def inside(run_dir: pathlib.Path, path: pathlib.Path | str) -> bool:
    """Whether a file of a run is there and not elsewhere: a link must not bring what it points to into the report."""
    whole = os.path.realpath(run_dir)
    return os.path.commonpath([whole, os.path.realpath(run_dir / path)]) == whole


def read_json(run_dir: pathlib.Path, name: str) -> dict[str, Any] | None:
    """The object in a JSON file of a run; None where there is no file."""
    path = run_dir / name
    if not inside(run_dir, name):
        return None
    try:
        content = json.loads(read_regular(path))
    except FileNotFoundError:
        return None
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): delete it and run the command that wrote it again."
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no JSON object: delete it and run the command that wrote it again.")
    return content


def timeline(run_dir: pathlib.Path) -> list[Picture]:
    """At most 24 of the run's `samples/step_<n>.png`, evenly spaced and with the first and the last, by step."""
    named = {path: re.fullmatch(r"step_(\d+)", path.stem) for path in (run_dir / "samples").glob("step_*.png")}
    found = sorted((int(match[1]), path) for path, match in named.items() if match and inside(run_dir, path))
    if len(found) > MOST_PICTURES:
        found = [found[round(i * (len(found) - 1) / (MOST_PICTURES - 1))] for i in range(MOST_PICTURES)]
    pictures = [embed(step, path, large=path == found[-1][1]) for step, path in found]
    return [picture for picture in pictures if picture is not None]


def embed(step: int, path: pathlib.Path, *, large: bool, heavy: int | None = None) -> Picture | None:
    """The picture as a data URI: the file itself, or a WebP of it where that is heavy; None where it is broken.

    Args:
      step: of the run.
      path: a PNG.
      large: whether it is shown as wide as the page.
      heavy: bytes beyond which it is; a megabyte where it is large, else 64,000.
    """
    heavy = heavy or (LARGE_BYTES if large else SMALL_BYTES)
    kind = "png"
    try:
        content = read_regular(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            image = PIL.Image.open(io.BytesIO(content), formats=["PNG"])  # another format's reader may start programs
            image.load()
        if len(content) > heavy:
            side, duration = LARGE_SIDE if large else SMALL_SIDE, image.info.get("duration", 100)
            frames = [
                frame.convert("RGB") for frame in itertools.islice(PIL.ImageSequence.Iterator(image), MOST_FRAMES)
            ]
            for frame in frames:
                frame.thumbnail((side, side))
            image, *others = frames
            buffer = io.BytesIO()
            moving = {"save_all": True, "append_images": others, "duration": duration, "loop": 0} if others else {}
            image.save(buffer, "WEBP", quality=80, **moving)
            kind, content = "webp", buffer.getvalue()
    except Exception:  # of any kind: Pillow goes where a broken file leads it
        return None
    return Picture(step, f"data:image/{kind};base64,{base64.b64encode(content).decode()}", image.width, image.height)


def figures(entries: Any) -> list[Figure]:
    """The figures of an `eval.json` as text: the standard error with two digits, the mean with as many places."""
    result = []
    for name, entry in (entries if isinstance(entries, Mapping) else {}).items():
        entry = entry if isinstance(entry, Mapping) else {"mean": entry}
        mean, error = entry.get("mean", entry.get("value")), entry.get("standard_error")
        mean, error = rounded(mean, error)
        nulls = entry.get("nulls", {"untrained": entry["untrained"]} if "untrained" in entry else {})
        beside = ", ".join(
            f"{null} {rounded(x)[0]}" for null, x in (nulls if isinstance(nulls, Mapping) else {}).items()
        )
        unit = str(entry.get("unit") or "")
        result.append(Figure(name.replace("_", " "), mean, error, unit, beside, better(name)))
    return result


def described(samples: Any) -> dict[str, Any]:
    """What was compared with what; empty where it does not say."""
    fields = ("samples", "examples", "split", "training_examples", "training_split", "features")
    return {field: samples.get(field, "") if isinstance(samples, Mapping) else "" for field in fields}


def compared(samples: Any) -> list[Figure]:
    """Each figure of samples beside those of an untrained model's and of training images, if they have it, as text."""
    if not isinstance(samples, Mapping):
        return []
    others = {of: samples.get(of.replace(" ", "_")) for of in ("untrained", "training images")}
    beside = {of: {figure.name: figure.mean for figure in figures(entries)} for of, entries in others.items()}
    return [
        dataclasses.replace(
            figure,
            nulls=", ".join(f"{of} {means[figure.name]}" for of, means in beside.items() if figure.name in means),
        )
        for figure in figures(samples.get("figures"))
    ]


def date(text: Any) -> str:
    """An ISO date and time to the minute, in UTC where it names its zone; anything else as it is."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.strftime("%Y-%m-%d %H:%M")
        return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (TypeError, ValueError, OverflowError):  # the last in the year 1, west of Greenwich
        return "" if text is None else str(text)
