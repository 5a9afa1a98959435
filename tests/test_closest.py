"""What was meant by a name: counted edits against enumeration, and names that lie in one's own folder."""

import itertools

import pytest

from jaxgen.closest import closest, distance
from jaxgen.errors import UserError
from jaxgen.shipped import find


def within_one(word, alphabet):
    """All words that one edit makes of a word."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    left_out = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    put_in = {a + c + b for a, b in cuts for c in alphabet}
    return {word} | left_out | swapped | put_in | {a + c + b[1:] for a, b in cuts for c in alphabet if b}


def test_distance_counts_edits():
    words = ["".join(letters) for n in range(4) for letters in itertools.product("ab", repeat=n)]
    for a, b in itertools.product(words, words):
        assert (distance(a, b) <= 1) == (b in within_one(a, "ab")), (a, b)
    assert distance("kitten", "sitting") == 3


def test_the_nearest_is_meant_and_not_what_ends_alike():
    assert closest("--learning-rat", ["--critic-learning-rate", "--learning-rate"]) == "--learning-rate"
    assert closest("mine", ["spline", "nice"]) is None
    assert closest("pixelcnn", ["pixelcnn_pp", "vae"]) == "pixelcnn_pp"
    assert closest("vae", []) is None
    assert closest("abcd", ["bcde", "abd", "abcdefg"]) == "abd"
    assert closest("x" * 10**6, ["vae"]) is None  # at once


def test_a_file_of_one_s_own_is_meant_where_it_lies_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    for name in ("mine", "mnie"):
        with pytest.raises(UserError, match="did you mean ./mine.py?"):
            find(name)


def test_data_of_one_s_own_is_meant_where_it_lies_there(tmp_path, monkeypatch):
    from jaxgen.data.lookup import named

    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes" / "red").mkdir(parents=True)
    for name, says in (
        ("shape", "; did you mean ./shapes?"),
        ("mnits", "; did you mean mnist?"),
        ("shapes/rde", "data shapes/rde does not exist; did you mean shapes/red?"),
        ("shapes/nothing", "data shapes/nothing does not exist; name what does."),
    ):
        with pytest.raises(UserError) as error:
            named(name)
        assert str(error.value).endswith(says)
