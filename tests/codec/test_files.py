"""Files that are whole decode to what they were made of, and all others are refused in a sentence."""

import dataclasses
import json
import struct
import zlib

import numpy as np
import pytest

from jaxgen.codec import container, fingerprint
from jaxgen.codec.container import Header
from jaxgen.codec.entropy import Reader, Writer
from jaxgen.codec.files import compress, decompress
from jaxgen.errors import UserError

P = np.array([0.7, 0.2, 0.1])


class Fixed:
    """Every symbol under the same probabilities."""

    def encode(self, symbols):
        writer = Writer()
        writer.push(symbols, np.tile(P, (len(symbols), 1)))
        return writer.words()

    def decode(self, words, size):
        return Reader(words).pop(np.tile(P, (size, 1)))


HEADER = Header("autoregressive", "array", "ab" * 32, (2, 2), 3, batch=10, size=100, program={})
SYMBOLS = np.random.default_rng(0).choice(3, 100, p=P).astype(np.int32)


def read(path, coder=None, **options):
    return np.concatenate(list(decompress(path, lambda header: ("ab" * 32, coder or Fixed()), **options)))


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "x.jxg"
    assert compress(path, HEADER, Fixed(), SYMBOLS) == path.stat().st_size
    return path


@pytest.mark.parametrize("size", [0, 1, 37, 40, 100])
def test_what_was_compressed_comes_back(tmp_path, size):
    path, seen = tmp_path / "x.jxg", []
    header = dataclasses.replace(HEADER, size=size, program=fingerprint.of_program())
    compress(path, header, Fixed(), SYMBOLS[:size].astype(np.uint8), progress=seen.append)
    parts = list(decompress(path, lambda h: ("ab" * 32, Fixed())))
    assert [len(part) for part in parts] == [40] * (size // 40) + [size % 40] * (size % 40 > 0)
    assert seen == list(np.cumsum([len(part) for part in parts]))
    np.testing.assert_array_equal(np.concatenate([*parts, []]), SYMBOLS[:size])
    assert [p.name for p in tmp_path.iterdir()] == ["x.jxg"]


def corrupted(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, a few bits flipped, bytes set, inserted, or a run moved."""
    changed = bytearray(data)
    at = int(rng.integers(len(data)))
    match rng.integers(5):
        case 0:
            return bytes(changed[:at])
        case 1:
            for _ in range(int(rng.integers(1, 4))):
                changed[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        case 2:
            changed[at : at + 4] = rng.bytes(4)
        case 3:
            changed[at:at] = rng.bytes(int(rng.integers(1, 9)))
        case 4:
            run = changed[at : at + 8]
            del changed[at : at + 8]
            to = int(rng.integers(len(changed) + 1))
            changed[to:to] = run
    return bytes(changed)


@pytest.mark.parametrize("times", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_corruption_is_silent(whole, times):
    data, rng, refused = whole.read_bytes(), np.random.default_rng(1), 0
    for _ in range(times):
        damaged = corrupted(data, rng)
        whole.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read(whole), SYMBOLS)
            assert damaged == data, "decoded though it is another file"
        except UserError:
            refused += 1
    assert refused > 0.95 * times


def resealed(path, **fields):
    """The file with other fields in its header, whose checksum is right."""
    data = path.read_bytes()
    length = struct.unpack_from("<8sHII", data)[2]
    text = json.dumps(json.loads(data[18 : 18 + length]) | fields).encode()
    path.write_bytes(
        struct.pack("<8sHII", container.MAGIC, 1, len(text), zlib.crc32(text)) + text + data[18 + length :]
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 4 * 10**9}, "cannot hold the 100000000 blocks"),
        ({"size": 10**9, "batch": 1 << 30}, "makes no sense"),
        ({"size": 101}, "within block|decodes to something else"),
        ({"size": 99}, "decodes to something else"),
        ({"size": 40}, "follow its last block"),
        ({"size": -1}, "makes no sense"),
        ({"size": 1.0}, "makes no sense"),
        ({"size": True}, "makes no sense"),
        ({"event": []}, "makes no sense"),
        ({"event": [1 << 20, 1 << 20]}, "makes no sense"),
        ({"event": "ab"}, "makes no sense"),
        ({"event": None}, "makes no sense"),
        ({"program": []}, "makes no sense"),
        ({"program": {"jax": 1}}, "makes no sense"),
        ({"more": 1}, "makes no sense"),
        ({"model": "cd" * 32}, "other weights: cdcdcdcdcdcd, not abababababab"),
    ],
)
def test_a_hostile_header_is_refused_though_its_checksum_is_right(whole, fields, message):
    resealed(whole, **fields)
    with pytest.raises(UserError, match=message):
        read(whole)


def test_a_header_that_is_no_object_is_refused(whole):
    for text in (b"[" * 100_000, b"3", b"\xff", b"{}"):
        whole.write_bytes(struct.pack("<8sHII", container.MAGIC, 1, len(text), zlib.crc32(text)) + text)
        with pytest.raises(UserError, match="makes no sense"):
            read(whole)


def test_empty_foreign_and_future_files_are_refused(whole):
    data = whole.read_bytes()
    for foreign in (b"", b"\x89PNG\r\n\x1a\n" + bytes(100), data.replace(b"\r\n", b"\n")):
        whole.write_bytes(foreign)
        with pytest.raises(UserError, match="is not a file of `jaxgen compress`"):
            read(whole)
    whole.write_bytes(data[:8] + b"\x02\x00" + data[10:])
    with pytest.raises(UserError, match="format version 2; this jaxgen reads version 1"):
        read(whole)


class Off(Fixed):
    """A machine whose probabilities are off by a little."""

    def decode(self, words, size):
        return Reader(words).pop(np.tile([0.71, 0.2, 0.09], (size, 1)))


def test_a_machine_with_other_numbers_is_refused_by_name_or_by_checksum(whole):
    resealed(whole, program=fingerprint.of_program() | {"jaxlib": "0.0.1"})
    with pytest.raises(UserError, match=r"jaxlib '0.0.1' and here it is"):
        read(whole)
    np.testing.assert_array_equal(read(whole, try_anyway=True), SYMBOLS)
    with pytest.raises(UserError, match="block 0 .* decodes to something else"):
        read(whole, Off(), try_anyway=True)


def test_what_does_not_decode_is_not_written(tmp_path):
    path = tmp_path / "x.jxg"
    with pytest.raises(UserError, match="block 0 does not decode"):
        compress(path, HEADER, Off(), SYMBOLS)
    assert not list(tmp_path.iterdir())
    compress(path, HEADER, Off(), SYMBOLS, verify=False)
    with pytest.raises(UserError, match="decodes to something else"):
        read(path, Off())


def test_other_weights_names_types_or_shapes_have_another_fingerprint():
    a = np.arange(4, dtype=np.float32)
    others = [{"w": a + 1e-7 * (a == 1)}, {"v": a}, {"w": a.astype(np.float64)}, {"w": a.reshape(2, 2)}, {"w": a}]
    prints = [fingerprint.of_weights(tree) for tree in others]
    assert len(set(prints)) == 5
    assert fingerprint.of_weights({"w": a.copy()}) == prints[-1]
