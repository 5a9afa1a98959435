"""`jaxgen decompress RUN FILE`: what `jaxgen compress` made, the same to the last byte, or a sentence why not."""

import math
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from jaxgen.codec import fingerprint
from jaxgen.codec.coded import code_of
from jaxgen.codec.container import Header, read_header
from jaxgen.codec.files import BlockCoder, decompress
from jaxgen.commands.arguments import parse
from jaxgen.commands.compress import open_run
from jaxgen.commands.options import Decompress
from jaxgen.console import Console
from jaxgen.errors import UserError
from jaxgen.training import process


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Decompress, args, "jaxgen decompress")
    if not options.file.is_file():
        raise UserError(f"file is {options.file}, which is no file; name one of `jaxgen compress`.")
    with options.file.open("rb") as file:
        header = read_header(file, options.file)
    options.apply()
    process.configure()
    run, view = open_run(options.run)
    code = code_of(run.method)

    def open_coder(header: Header) -> tuple[str, BlockCoder]:
        shapes = (code.name, run.stage.data.test.spec[code.field].shape, code.levels)
        if (header.coder, header.event, header.levels) != shapes:
            raise UserError(f"{options.file} holds {header.levels} levels {header.event}, which are not this run's.")
        return fingerprint.of_weights(view.params), code.open(view, header.event, header.batch)

    partial = options.out.with_name(options.out.name + ".part")
    try:
        with partial.open("wb") as out:
            dtype = _begin(out, header)
            for symbols in decompress(options.file, open_coder, try_anyway=options.try_anyway):
                out.write(symbols.astype(dtype).tobytes())
        partial.replace(options.out)
    finally:
        partial.unlink(missing_ok=True)
    wrote = f"Wrote {options.out}: {header.size} symbols of {header.blocks} blocks"
    Console().print(wrote, markup=False, highlight=False, soft_wrap=True)


def _begin(out: BinaryIO, header: Header) -> np.dtype:
    """Writes what stands before the symbols, and says of what type they are."""
    dtype = np.dtype(np.uint8 if header.levels <= 256 else "<i4")
    if header.kind == "array":
        shape = (header.size // math.prod(header.event), *header.event)
        np.lib.format.write_array_header_1_0(
            out, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        )
    return dtype
