import zlib

import numpy as np
import pytest

from jaxgen.data.byte_text import byte_windows, file_bytes, standard_library, standard_library_version
from jaxgen.data.lookup import named
from jaxgen.errors import UserError
from jaxgen.fields import Field

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


def test_a_text_s_end_is_held_out_and_of_a_folder_s_whole_files_by_their_names(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT)
    data = named(str(tmp_path / "a.txt"), length=6)
    assert (len(data.train), len(data.test)) == (85, 1)
    np.testing.assert_array_equal(data.test[np.array([0])]["text"], [range(90, 96)])
    assert data.fields["text"] == Field(0, 255, 256)
    for number in range(20):
        (tmp_path / "many" / str(number % 2)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "many" / str(number % 2) / f"{number}.txt").write_bytes(bytes([number] * (8 + number)))
    data = named(str(tmp_path / "many"), length=8, held_out=0.3)
    train, test = (source[np.arange(len(source))]["text"] for source in (data.train, data.test))
    assert (train == train[:, :1]).all()  # no window reaches from one file into the next
    assert {*train[:, 0]} | {*test[:, 0]} == set(range(20))
    assert not {*train[:, 0]} & {*test[:, 0]}
    assert [int((train[:, 0] == n).sum()) for n in sorted({*train[:, 0]})] == [1 + n for n in sorted({*train[:, 0]})]
    before = data.fingerprint()
    (tmp_path / "many" / "0" / "new.txt").write_bytes(TEXT)
    more = named(str(tmp_path / "many"), length=8, held_out=0.3)
    assert {*test[:, 0]} <= {*more.test[np.arange(len(more.test))]["text"][:, 0]}
    assert before["files"] == 20
    assert more.fingerprint() != before


@pytest.mark.parametrize(
    ("name", "length", "message"),
    [
        ("a.txt", None, "or give the length of windows, as `lstm` and `transformer` do."),
        ("a.txt", 0, "length is 0; it must be at least 1"),
        ("a.txt", 11, "has at most 10 in a row to test on; make length, 11, no more than that."),
        ("one", 6, "has 1 .txt, .md, .text files; it takes at least 2, or name one file."),
        ("none.txt", 6, "none.txt does not exist; "),
    ],
)
def test_texts_that_cannot_serve_are_one_sentence(name, length, message, tmp_path):
    (tmp_path / "one").mkdir()
    for file in (tmp_path / "a.txt", tmp_path / "one" / "b.txt"):
        file.write_bytes(TEXT)
    with pytest.raises(UserError, match=message):
        len(named(str(tmp_path / name), length=length).test)


def test_the_standard_library_is_python_without_its_tests():
    text = standard_library()
    assert len(text) > 5_000_000
    assert b"class JSONDecoder" in text
    assert b"class TestCase(unittest.TestCase)" not in text
    assert "SHA-256" in standard_library_version()
