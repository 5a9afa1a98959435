"""Arguments of every command: parsed by tyro, refused in one sentence."""

import contextlib
import dataclasses
import io
import itertools
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import tyro

from jaxgen import shipped
from jaxgen.closest import closest
from jaxgen.commands.trust import trust
from jaxgen.errors import UserError

if TYPE_CHECKING:
    from jaxgen.experiment import ExperimentFile

T = TypeVar("T")
_fields: set[str] = set()  # which the command has options for
_UNPREFIXED = tyro.conf.arg(name="")  # `--steps`, not `--config.steps`; what is nested keeps its prefix: `--mesh.data`


def parse(kind: type[T], args: Sequence[str], prog: str, default: T | None = None, description: str | None = None) -> T:
    """The arguments as a dataclass.

    Raises:
      UserError: they do not fit; the message is one sentence.
      SystemExit: help was asked for, and printed.
    """
    _fields.update(_optional(kind))
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                kind,
                args=args,
                prog=prog,
                description=description,
                default=tyro.MISSING_NONPROP if default is None else default,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        said = _sentence(errors.getvalue())
        unknown = re.match(r"Unrecognized options: .*?(--[\w.-]+)", said)
        meant = closest(unknown[1], _options(kind, default)) if unknown else None
        suggestion = f"did you mean {meant}?" if meant else f"`{prog} --help` lists the options."
        raise UserError(f"{_number(said)}; {suggestion}") from None


def parse_experiment(
    options: type[T], args: Sequence[str], prog: str, **defaults: Any
) -> "tuple[ExperimentFile, Any, T]":
    """An experiment, its configuration and a command's own options.

    Args:
      options: dataclass of the command's own options.
      args: what follows the command.
      prog: the command, for messages.
      **defaults: fields of the configuration whose default this command changes.

    Raises:
      UserError: there is no such experiment, or an argument does not fit.
    """
    if not args or args[0].startswith("-"):
        parse(
            dataclasses.make_dataclass("Arguments", [("options", Annotated[options, _UNPREFIXED])]),
            args,
            f"{prog} EXPERIMENT",
        )
        raise UserError(f"EXPERIMENT is missing; name an experiment, as in `{prog} dcgan`.")
    from jaxgen.experiment import ExperimentFile  # with JAX, which no other command need wait for

    file = ExperimentFile.load(shipped.find(args[0]))
    trust(file.path)
    both = dataclasses.make_dataclass(
        "Arguments",
        [("config", Annotated[file.config_type, _UNPREFIXED]), ("options", Annotated[options, _UNPREFIXED])],
    )
    known = {field.name for field in dataclasses.fields(file.config_type)}
    if clash := sorted(known & {field.name for field in dataclasses.fields(cast(Any, options))}):
        raise UserError(f"Config of {file.path} has a field {clash[0]!r}, which is an option of `{prog}`; rename it.")
    _fields.update(_optional(file.config_type), _optional(options))
    preset = file.preset(_data(args) if "data" in known else None)
    config = dataclasses.replace(preset, **{name: value for name, value in defaults.items() if name in known})
    parsed: Any = parse(both, args[1:], f"{prog} {args[0]}", both(config, options()), file.module.__doc__)
    return file, _resolved(file, parsed.config), parsed.options


def _resolved(file: "ExperimentFile", config: Any) -> Any:
    """The configuration, with data and a target that are paths named so that they are found from any folder."""
    given = {name: getattr(config, name, None) for name in ("data", "target")}
    named = {name: x for name, x in given.items() if isinstance(x, str) and x not in file.presets}
    if not named:
        return config
    from jaxgen.data.lookup import resolved

    return dataclasses.replace(config, **{name: resolved(x) for name, x in named.items()})


def _data(args: Sequence[str]) -> str | None:
    """What follows the last `--data`; it is looked for before all else, for its preset is the others' default."""
    given = None
    for arg, following in itertools.pairwise([*args, ""]):
        if arg == "--data":
            given = following
        elif arg.startswith("--data="):
            given = arg.removeprefix("--data=")
    return given


def with_options(sentence: str) -> str:
    """A sentence for Python and the command line alike, in which fields of the command are named as its options.

    Those are words with an underscore, or before "=", or before " is" where the sentence begins; not parts of a path,
    as of a run's folder, whose name says what its settings are.
    """
    if not _fields:
        return sentence
    fields = "|".join(sorted(_fields, key=len, reverse=True))
    sentence = re.sub(rf"^({fields})(?= is )", lambda found: _option(found[1]), sentence)
    sentence = re.sub(rf"(?<![^\s(`'\"])({fields})=(?=[\w.'\"])", lambda found: f"{_option(found[1])} ", sentence)
    compound = rf"(?<![\w./'-])({fields})(?![\w/='-]|\.\w)"
    return re.sub(compound, lambda found: _option(found[1]) if "_" in found[1] else found[1], sentence)


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _optional(kind: Any) -> set[str]:
    """The fields of a dataclass that are options, and of no group of them."""
    return {field.name for field in dataclasses.fields(kind) if "Positional" not in str(field.type)}


def numbers(name: str, text: str) -> list[int]:
    """Those in a text such as "16,64,256"; none in an empty one.

    Raises:
      UserError: something else is in it.
    """
    try:
        return [int(number) for number in text.split(",") if text]
    except ValueError:
        raise UserError(f"{name} is {text!r}; write whole numbers with commas between, as in 1,2,4.") from None


def positive(name: str, text: str) -> list[float]:
    """Those in a text such as "2,1,0.5"; none in an empty one.

    Raises:
      UserError: something else is in it.
    """
    try:
        values = [float(number) for number in text.split(",") if text]
    except ValueError:
        values = [math.nan]
    if not all(0 < value < math.inf for value in values):
        raise UserError(f"{name} is {text!r}; write positive numbers with commas between, as in 2,1,0.5.")
    return values


def _options(kind: type[Any], default: Any) -> set[str]:
    """What a help names as options."""
    shown = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(shown):
        tyro.cli(kind, args=["--help"], default=tyro.MISSING_NONPROP if default is None else default)
    return set(re.findall(r"--[a-z][\w.-]*\w", shown.getvalue()))


def _number(said: str) -> str:
    """What Python says of a text that is no number, in words of the command line."""
    said = re.sub(r"Error parsing (\S+): invalid literal for int\(\) .*?: (.*)", r"\1 is \2, no whole number", said)
    return re.sub(r"Error parsing (\S+): could not convert .*?: (.*)", r"\1 is \2, no number", said)


def _sentence(panel: str) -> str:
    """The first message in tyro's panel, which follows the title and, where the terminal has no frames, a rule."""
    lines = [line.strip("│╭╮╰╯ ") for line in panel.splitlines()[1:]]
    message = itertools.takewhile(lambda line: not _is_rule(line), itertools.dropwhile(_is_rule, lines))
    return re.sub(r"\s+", " ", " ".join(message)).strip().rstrip(".")


def _is_rule(line: str) -> bool:
    return bool(line) and set(line) <= {"─", "-"}
