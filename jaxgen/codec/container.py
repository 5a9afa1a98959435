"""The file format: a header that says what must be the same to decode, and blocks that are checked before and after.

    magic, version u16 | header length u32, its CRC-32 u32, header JSON | blocks: words u32, CRC-32 of the payload u32,
    CRC-32 of the decoded symbols u32, payload

All little-endian. Nothing in it is executed, and no number in it is believed before it is held against the file's size.
"""

import dataclasses
import json
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxgen.errors import UserError

MAGIC = b"\x89JXG\r\n\x1a\n"  # as PNG's: shows a transfer that changed line ends or dropped the eighth bit
VERSION = 1
_PREFIX = struct.Struct("<8sHII")
_BLOCK = struct.Struct("<III")
_MAX_HEADER = 1 << 20
_MAX_BLOCK = 1 << 26  # symbols


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
      coder: how it was coded: "autoregressive", "bits-back", ...
      kind: what the symbols are: "bytes" of a file, or an "array" of examples.
      model: SHA-256 of the model's parameters, hexadecimal.
      event: shape of one example.
      levels: values of a symbol.
      batch: examples in a block.
      size: symbols in the file; the last example may be cut short.
      program: what must be the same for floating point to give the same numbers, by name; empty where integers do.
    """

    coder: str
    kind: str
    model: str
    event: tuple[int, ...]
    levels: int
    batch: int
    size: int
    program: Mapping[str, str]

    @property
    def example(self) -> int:
        """Symbols in an example."""
        return math.prod(self.event)

    @property
    def blocks(self) -> int:
        """How many follow."""
        return -(-self.size // (self.batch * self.example))

    def block_size(self, block: int) -> int:
        """Symbols in block number `block`; the last may have fewer."""
        full = self.batch * self.example
        return min(full, self.size - block * full)


def write_header(file: BinaryIO, header: Header) -> None:
    """Writes all that comes before the blocks."""
    text = json.dumps(dataclasses.asdict(header), sort_keys=True).encode()
    file.write(_PREFIX.pack(MAGIC, VERSION, len(text), zlib.crc32(text)) + text)


def write_block(file: BinaryIO, words: np.ndarray, symbols: np.ndarray) -> int:
    """Writes one block; returns its bytes."""
    payload = np.asarray(words, "<u4").tobytes()
    file.write(_BLOCK.pack(len(words), zlib.crc32(payload), checksum(symbols)) + payload)
    return _BLOCK.size + len(payload)


def checksum(symbols: np.ndarray) -> int:
    """CRC-32 of symbols, whatever integers hold them."""
    return zlib.crc32(np.asarray(symbols, "<i4").tobytes())


def read_header(file: BinaryIO, path: Path) -> Header:
    """The header, believed in nothing that the file's size denies.

    Raises:
      UserError: it is no such file, of another version, damaged, or claims more than it holds.
    """
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size or not prefix.startswith(MAGIC):
        raise UserError(f"{path} is not a file of `jaxgen compress`.")
    _, version, length, crc = _PREFIX.unpack(prefix)
    if version != VERSION:
        raise UserError(f"{path} has format version {version}; this jaxgen reads version {VERSION}.")
    text = file.read(min(length, _MAX_HEADER))
    if len(text) < length or zlib.crc32(text) != crc:
        raise UserError(f"{path} is damaged: its header does not match its checksum.")
    header = _parse(text, path)
    left = os.fstat(file.fileno()).st_size - file.tell()
    if header.blocks * _BLOCK.size > left:
        raise UserError(f"{path} is damaged: {left} bytes cannot hold the {header.blocks} blocks its header claims.")
    return header


def _parse(text: bytes, path: Path) -> Header:
    try:
        fields = json.loads(text)
        header = Header(**{**fields, "event": tuple(fields["event"])})
        good = all(isinstance(field, str) for field in (header.coder, header.kind, header.model))
        good &= all(isinstance(k, str) and isinstance(v, str) for k, v in header.program.items())
        numbers = (*header.event, header.levels, header.batch)
        good &= all(type(n) is int and 0 < n < 1 << 31 for n in numbers)
        good &= type(header.size) is int and 0 <= header.size < 1 << 62 and len(header.event) > 0
        good &= header.batch * header.example <= _MAX_BLOCK
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        good = False
    if not good:
        raise UserError(f"{path} is damaged: its header makes no sense.")
    return header


def read_blocks(file: BinaryIO, header: Header, path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Each block's words, and the checksum its symbols must have.

    Raises:
      UserError: a block does not match its checksum, or the file ends too early or too late.
    """
    end = os.fstat(file.fileno()).st_size
    for block in range(header.blocks):
        prefix = file.read(_BLOCK.size)
        if len(prefix) < _BLOCK.size:
            raise UserError(f"{path} is damaged: it ends before block {block} of {header.blocks}.")
        words, crc, content = _BLOCK.unpack(prefix)
        if 4 * words > end - file.tell():
            raise UserError(f"{path} is damaged: it ends within block {block} of {header.blocks}.")
        payload = file.read(4 * words)
        if zlib.crc32(payload) != crc:
            raise UserError(f"{path} is damaged: block {block} of {header.blocks} does not match its checksum.")
        yield np.frombuffer(payload, "<u4"), content
    if file.read(1):
        raise UserError(f"{path} is damaged: {end - file.tell() + 1} bytes follow its last block.")
