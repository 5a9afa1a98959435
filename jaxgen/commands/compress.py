"""`jaxgen compress RUN`: a data set's examples or a file, in about as many bits as the run's model says they have."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from rich.progress import Progress

from jaxgen.codec import fingerprint
from jaxgen.codec.coded import Code, code_of
from jaxgen.codec.container import Header
from jaxgen.codec.files import compress
from jaxgen.commands.arguments import parse
from jaxgen.commands.options import Compress
from jaxgen.commands.runs import Run
from jaxgen.console import Console
from jaxgen.core import View, view_of
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.training import process
from jaxgen.training.sharding import make_mesh


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Compress, args, "jaxgen compress")
    if options.file is not None and options.examples:
        raise UserError(f"--from {options.examples} and the file {options.file} are given; give one of them.")
    if options.batch is not None and options.batch < 1:
        raise UserError(f"batch is {options.batch}; it must be at least 1.")
    options.apply()
    process.configure()
    run, view = open_run(options.run)
    code = code_of(run.method)
    event = run.stage.data.test.spec[code.field].shape
    symbols, size, kind = _read(options, run, code, event)
    example = math.prod(event)
    batch = min(options.batch or code.batch, max(1, -(-size // example)))
    weights, program = fingerprint.of_weights(view.params), fingerprint.of_program()
    header = Header(code.name, kind, weights, event, code.levels, batch, size, program)
    start = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("compressing", total=size)
        written = compress(
            options.out,
            header,
            code.open(view, event, batch),
            symbols,
            verify=options.verify,
            progress=lambda done: bar.update(task, completed=done),
        )
    seconds = time.monotonic() - start
    Console().print(
        f"Wrote {options.out}: {written} bytes for {size} symbols, {8 * written / max(size, 1):.4f} bits each, "
        f"{size / example / seconds:.1f} examples/s",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def open_run(path: Path) -> tuple[Run, View]:
    """A run on one device, and its networks with averaged weights where they are kept."""
    run = Run.open(path, make_mesh(devices=jax.devices()[:1]))
    return run, view_of(run.method, run.state).averaged()


class _Examples:
    """A source's examples as flat symbols, read as they are asked for."""

    def __init__(self, source: Source, code: Code, example: int):
        self._source, self._code, self._example = source, code, example

    def __len__(self) -> int:
        return len(self._source) * self._example

    def __getitem__(self, part: slice) -> np.ndarray:
        ids = np.arange(part.start // self._example, part.stop // self._example)
        return self._code.symbols(self._source[ids][self._code.field]).ravel()


def _read(options: Compress, run: Run, code: Code, event: tuple[int, ...]) -> tuple[np.ndarray, int, str]:
    """Flat symbols, how many they are, and what kind."""
    if options.file is None:
        source = getattr(run.stage.data, options.examples or "test")
        examples: np.ndarray = _Examples(source, code, math.prod(event))  # pyright: ignore[reportAssignmentType]  # read by slices alone
        return examples, len(examples), "array"
    if not options.file.is_file():
        raise UserError(f"file is {options.file}, which is no file; name one.")
    if options.file.suffix != ".npy":
        if code.levels != 256 or len(event) != 1:
            raise UserError(f"file is {options.file}, but this is no model of bytes; give it an .npy of examples.")
        # A file of no bytes cannot be mapped.
        size = options.file.stat().st_size
        return np.memmap(options.file, np.uint8, "r") if size else np.empty(0, np.uint8), size, "bytes"
    try:
        array = np.load(options.file, mmap_mode="r")
    except (ValueError, OSError) as error:
        raise UserError(f"file is {options.file}, which cannot be read as an .npy ({error}).") from None
    if array.shape[1:] != event:
        raise UserError(f"{options.file} has examples of shape {array.shape[1:]}; the model's are {event}.")
    return code.symbols(array).ravel(), array.size, "array"
