import zlib

import numpy as np
import pytest

from jaxgen.data.byte_text import byte_windows, file_bytes, standard_library, standard_library_version
from jaxgen.errors import UserError

TEXT = bytes(range(100))


def test_training_windows_stand_everywhere_and_held_out_ones_side_by_side_at_the_end():
    data = byte_windows("x", lambda: TEXT, 6, held_out=0.2)
    assert (len(data.train), len(data.test)) == (75, 3)
    np.testing.assert_array_equal(data.train[np.array([0, 74])]["text"], [range(6), range(74, 80)])
    np.testing.assert_array_equal(data.test[np.arange(3)]["text"].ravel(), np.arange(80, 98))
    assert data.train.spec["text"].shape == (6,)


def test_a_text_that_changed_is_told_from_what_it_was():
    prints = [byte_windows("x", lambda text=text: text, 6).fingerprint() for text in (TEXT, TEXT[::-1], TEXT[:-1])]
    assert prints[0] == {"bytes": 100, "crc32": f"{zlib.crc32(TEXT):08x}"}
    assert prints[0] != prints[1]
    assert prints[2]["bytes"] == 99


def test_what_is_too_short_or_not_there_is_refused(tmp_path):
    data = byte_windows("x", lambda: TEXT, 6)
    with pytest.raises(UserError, match="x has 5 bytes to test on; make length, 6, no more"):
        len(data.test)
    with pytest.raises(UserError, match="no_such_file cannot be read"):
        len(byte_windows("x", file_bytes("no_such_file"), 6).train)
    (tmp_path / "a").write_bytes(TEXT)
    assert file_bytes(str(tmp_path / "a"))() == TEXT


def test_the_standard_library_is_python_without_its_tests():
    text = standard_library()
    assert len(text) > 5_000_000
    assert b"class JSONDecoder" in text
    assert b"class TestCase(unittest.TestCase)" not in text
    assert "SHA-256" in standard_library_version()
