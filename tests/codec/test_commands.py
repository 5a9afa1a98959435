"""`jaxgen compress` and `jaxgen decompress` of a small run, and what they refuse."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxgen.codec.coded import Code, code_of
from jaxgen.commands.compress import _read
from jaxgen.commands.options import Compress
from jaxgen.core import Method
from jaxgen.data.embedded import digits
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.errors import UserError
from jaxgen.fields import Field
from jaxgen.shipped import find

EXPERIMENT = find("gated_pixelcnn")
SMALL = ("--steps", "10", "--batch-size", "8", "--width", "2", "--layers", "1")


@pytest.fixture
def run(jaxgen, tmp_path):
    assert jaxgen("train", EXPERIMENT, *SMALL, "--run-dir", tmp_path / "run") == 0
    return tmp_path / "run"


def test_a_test_set_comes_back_and_other_runs_and_files_are_refused(jaxgen, run, tmp_path, capsys):
    images = digits().test[np.arange(20)]["image"]
    np.save(tmp_path / "x.npy", images)
    assert jaxgen("compress", run, tmp_path / "x.npy", "--out", tmp_path / "x.jxg", "--batch", 8) == 0
    assert "for 1280 symbols" in capsys.readouterr().out
    assert jaxgen("decompress", run, tmp_path / "x.jxg", "--out", tmp_path / "y.npy") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), images)
    assert (tmp_path / "x.jxg").stat().st_size < images.size

    np.save(tmp_path / "x.npy", images + 1)
    assert jaxgen("compress", run, tmp_path / "x.npy", "--out", tmp_path / "z.jxg") == 2
    assert "image has values the model does not" in capsys.readouterr().err
    np.save(tmp_path / "x.npy", images[:, :7])
    assert jaxgen("compress", run, tmp_path / "x.npy", "--out", tmp_path / "z.jxg") == 2
    assert "(7, 8, 1); the model's are (8, 8, 1)" in capsys.readouterr().err
    assert jaxgen("compress", run, EXPERIMENT, "--out", tmp_path / "z.jxg") == 2
    assert "no model of bytes" in capsys.readouterr().err
    assert jaxgen("compress", run, EXPERIMENT, "--from", "test") == 2
    assert f"--from test and the file {EXPERIMENT} are given" in capsys.readouterr().err
    assert jaxgen("decompress", run, EXPERIMENT, "--out", tmp_path / "z.npy") == 2
    assert "is not a file of `jaxgen compress`" in capsys.readouterr().err
    data = bytearray((tmp_path / "x.jxg").read_bytes())
    data[-1] ^= 1
    (tmp_path / "x.jxg").write_bytes(data)
    assert jaxgen("decompress", run, tmp_path / "x.jxg", "--out", tmp_path / "z.npy") == 2
    assert "block 2 of 3 does not match its checksum" in capsys.readouterr().err
    assert not list(tmp_path.glob("z*"))


def test_the_held_out_examples_are_compressed_where_no_file_is_named():
    data = Dataset(
        *(
            Source(
                split,
                split,
                lambda n=n: {"image": np.zeros((1, 2), np.uint8)},
                lambda n=n: Memory({"image": np.full((n, 2), n, np.uint8)}),
                lambda: {"image": Field(0, 9, 10)},
            )
            for split, n in (("train", 4), ("test", 3))
        )
    )
    run = SimpleNamespace(stage=SimpleNamespace(data=data))
    for options, count in ((Compress(run=Path()), 3), (Compress(run=Path(), examples="train"), 4)):
        symbols, size, kind = _read(options, run, code(Field(0, 9, 10)), (2,))
        assert (size, kind, symbols[0:2].tolist()) == (2 * count, "array", [count] * 2)


def code(takes):
    return Code("autoregressive", "image", takes, lambda view, event, batch: None, 8)


def test_values_are_numbered_and_others_refused():
    np.testing.assert_array_equal(code(Field(-1, 1, 5)).symbols(np.float32([-1, -0.5, 0, 0.5, 1])), np.arange(5))
    np.testing.assert_array_equal(code(Field(0, 16, 17)).symbols(np.uint8([0, 16, 3])), [0, 16, 3])
    with pytest.raises(UserError, match="between the model's: it takes 5 levels from -1 to 1"):
        code(Field(-1, 1, 5)).symbols(np.array([0.25]))
    with pytest.raises(UserError, match="has values the model does not"):
        code(Field(-1, 1, 5)).symbols(np.array([-1.5]))


def test_no_file_can_ask_for_more_memory_than_a_block_s():
    assert code(Field(0, 1, 2)).open(None, (2,), 4096) is None
    with pytest.raises(UserError, match="batch is 4097; a block has at most 4096"):
        code(Field(0, 1, 2)).open(None, (2,), 4097)


def test_a_method_without_probabilities_cannot_compress():
    method = Method("GAN", {}, (), lambda *_: {}, None, lambda *_: {})
    with pytest.raises(UserError, match="a GAN cannot compress"):
        code_of(method)
