"""Compressing to a file and back, block by block: memory does not grow with the file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from jaxgen.codec import container, fingerprint
from jaxgen.codec.container import Header
from jaxgen.errors import UserError


class BlockCoder(Protocol):
    """Codes one block of flat symbols to words and back."""

    def encode(self, symbols: np.ndarray) -> np.ndarray: ...

    def decode(self, words: np.ndarray, size: int) -> np.ndarray: ...


def compress(
    path: Path,
    header: Header,
    coder: BlockCoder,
    symbols: np.ndarray,
    *,
    verify: bool = True,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Writes symbols `[header.size]`, which may be mapped from a disk.

    Args:
      path: of the file; it is there when it is whole.
      header: what the file says of itself.
      coder: the model's.
      symbols: integers, flat.
      verify: whether every block is decoded again before it is written.
      progress: told how many symbols are done.

    Returns:
      The file's bytes.

    Raises:
      UserError: a block does not decode to what it was made of.
    """
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            container.write_header(file, header)
            done = 0
            for block in range(header.blocks):
                part = np.asarray(symbols[done : done + header.block_size(block)], np.int32)
                words = coder.encode(part)
                if verify and not np.array_equal(coder.decode(words, len(part)), part):
                    raise UserError(f"block {block} does not decode to what it was made of; nothing was written.")
                container.write_block(file, words, part)
                done += len(part)
                progress(done)
            size = file.tell()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return size


def decompress(
    path: Path, open_coder: Callable[[Header], tuple[str, BlockCoder]], *, try_anyway: bool = False
) -> Iterator[np.ndarray]:
    """The symbols of each block, int32, each held against its checksum.

    Args:
      path: a file of `compress`.
      open_coder: SHA-256 of the weights at hand, and their coder at the header's shapes.
      try_anyway: decode on another machine or version too, and let the checksums judge.

    Raises:
      UserError: the file is damaged, of another model or, as far as known, of another program, or decodes wrongly.
    """
    with path.open("rb") as file:
        header = container.read_header(file, path)
        weights, coder = open_coder(header)
        if header.model != weights:
            raise UserError(f"{path} was compressed with other weights: {header.model[:12]}, not {weights[:12]}.")
        if header.program and not try_anyway:
            fingerprint.check(header.program, fingerprint.of_program())
        for block, (words, content) in enumerate(container.read_blocks(file, header, path)):
            symbols = coder.decode(words, header.block_size(block))
            if container.checksum(symbols) != content:
                raise UserError(
                    f"block {block} of {path} decodes to something else than was compressed: this machine's numbers "
                    "are not those of the one that wrote it."
                )
            yield symbols
