"""The command line: `jaxgen train | eval | compare | sample | export | compress | decompress | bench | compile |
list | figures`.

A user's mistake is one sentence and exit code 2; the help tells the other codes. JAX and the experiment are imported by
the command that needs them, so help is instant.
"""

import errno
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import jaxgen
from jaxgen import no_tpu
from jaxgen.closest import closest
from jaxgen.errors import Preempted, UserError

_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # errors that no reading makes


def main() -> NoReturn:
    """Runs the command in `sys.argv`."""
    sys.unraisablehook = _report_unraisable
    no_tpu.answer_without_chips()
    for name in ("asyncio", "absl"):  # the same reads once more, as logs
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        run(sys.argv[1:])
        sys.stdout.flush()
        sys.exit(0)
    except UserError as error:
        from jaxgen.commands.arguments import with_options

        _say(with_options(str(error)))
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read, as `head` does, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        _say(_refused(error))
        sys.exit(UserError.exit_code)
    except Preempted as stop:
        _say("stopped by SIGTERM.")
        sys.exit(stop.exit_code)
    except KeyboardInterrupt:
        _say("stopped.")
        sys.exit(130)


def _say(sentence: object) -> None:
    from jaxgen.console import say

    say(str(sentence).replace("\n", "\\n"))  # which stands in a name


def _refused(error: OSError) -> str:
    """What the operating system did not let us do, in a sentence; with an open file it does not know the name."""
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    if error.filename is None:
        return f"input or output failed ({reason}); mend that, and run the same command again."
    if error.errno in _WRITING:
        return f"{error.filename} cannot be written ({reason}); make room or allow it."
    return f"{error.filename} cannot be used ({reason}); mend or allow it, or name another."


def _report_unraisable(unraisable: Any) -> None:
    # When a damaged checkpoint ends a read early, the storage library's other reads report to an event loop that is
    # gone: hundreds of lines that say nothing, while the sentence is on its way.
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


def run(args: Sequence[str]) -> None:
    """Runs one command.

    Raises:
      UserError: the arguments, or what they name, cannot be used.
    """
    if not args or args[0] in ("-h", "--help"):
        print(_HELP)
    elif list(args) == ["--version"]:
        print(f"jaxgen {jaxgen.__version__}")
    elif list(args) == ["--version", "--json"]:
        _version()
    elif args[0] in _COMMANDS:
        if {"-h", "--help"} & {*args[1:]}:
            _help(args[0], args[1:])
        _COMMANDS[args[0]](args[1:])
    else:
        close = closest(args[0], _COMMANDS)
        meant = f"did you mean {close}?" if close else f"choose one of {', '.join(_COMMANDS)}."
        raise UserError(f"command {args[0]!r} is unknown; {meant}")


def _help(command: str, args: Sequence[str]) -> None:
    gc.disable()  # imports make many objects and hardly any garbage: looking for it is a tenth of the time to a help
    from jaxgen.commands import options

    options.show_help(command, args)


def _train(args: Sequence[str]) -> None:
    from jaxgen.commands import train

    train.main(args)


def _eval(args: Sequence[str]) -> None:
    from jaxgen.commands import evaluate

    evaluate.main(args)


def _compare(args: Sequence[str]) -> None:
    from jaxgen.commands import compare

    compare.main(args)


def _sample(args: Sequence[str]) -> None:
    from jaxgen.commands import sample

    sample.main(args)


def _export(args: Sequence[str]) -> None:
    from jaxgen.commands import export

    export.main(args)


def _compress(args: Sequence[str]) -> None:
    from jaxgen.commands import compress

    compress.main(args)


def _decompress(args: Sequence[str]) -> None:
    from jaxgen.commands import decompress

    decompress.main(args)


def _bench(args: Sequence[str]) -> None:
    from jaxgen.commands import bench

    bench.main(args)


def _compile(args: Sequence[str]) -> None:
    from jaxgen.commands import compile

    compile.main(args)


def _list(args: Sequence[str]) -> None:
    from jaxgen.commands import list_experiments

    list_experiments.main(args)


def _figures(args: Sequence[str]) -> None:
    from jaxgen.commands import figures

    figures.main(args)


def _version() -> None:
    from jaxgen.commands import version

    version.main()


_COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": _train,
    "eval": _eval,
    "compare": _compare,
    "sample": _sample,
    "export": _export,
    "compress": _compress,
    "decompress": _decompress,
    "bench": _bench,
    "compile": _compile,
    "list": _list,
    "figures": _figures,
}

_HELP = """usage: jaxgen COMMAND ...

  train NAME     train an experiment, or continue where it stopped
  eval RUN       held-out figures of a run
  compare RUN RUN ...
                 runs side by side: what differs in settings, figures, curves and samples
  sample RUN     draw samples from a run
  export RUN     its functions and weights, to be run without jaxgen
  compress RUN   data or a file in the bits that a run's model gives it
  decompress RUN FILE
                 what was compressed, the same to the last byte
  bench NAME     measure an experiment's training step
  compile NAME   predict memory, communication and speed on TPU chips that are not at hand
  list [NAME]    the shipped experiments, or those of a folder, a line each; all of one
  figures        the figures that the field is taught by, of finished runs and of new ones, on one page

NAME is a shipped experiment, or the path of a file, such as ./mine.py; RUN is a folder that `train` wrote.
`jaxgen COMMAND --help` lists the options of a command, `jaxgen train NAME --help` the experiment's settings too.
`jaxgen --version` prints the version, and with --json what a bug report needs: versions, devices, flags.

Exit codes: 0 done; 2 a mistake, or no room for the last checkpoint; 3 a metric became NaN or infinite; 75 after SIGTERM
and 130 after Ctrl-C, with the state saved: the same command continues. A second Ctrl-C stops at once, unsaved."""
