"""Sentences: what is read, how words are numbered, and which part of a sentence a conjunction leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tensorflow_datasets.core import registered
from tensorflow_datasets.core.splits import Split
from tensorflow_datasets.text.glue import Glue

from jaxgen.data.text import SentimentData, Vocabulary, split_at
from jaxgen.errors import UserError

TRAIN = "1 a good film\n0 a bad bad film\n1 but good\n"
TEST = "0 a dull film , but a short one\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder of three training sentences and one to test on."""
    for split, text in (("train", TRAIN), ("dev", "1 good\n"), ("test", TEST)):
        (tmp_path / f"stsa.binary.{split}").write_text(text)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def test_words_are_numbered_by_frequency_and_then_by_alphabet(folder):
    data = SentimentData(length=5, vocabulary_size=6).dataset()
    train = data.train[np.arange(3)]
    # a, bad, film, good: twice each; the vocabulary ends before "but".
    np.testing.assert_array_equal(train["tokens"], [[2, 5, 4, 0, 0], [2, 3, 3, 4, 0], [1, 5, 0, 0, 0]])
    np.testing.assert_array_equal(train["label"], [1, 0, 1])
    np.testing.assert_array_equal(train["after"], [[0] * 5, [0] * 5, [5, 0, 0, 0, 0]])
    np.testing.assert_array_equal(data.test[np.arange(1)]["tokens"], [[2, 1, 4, 1, 1]])
    assert data.spec["tokens"].shape == (5,)
    assert len(SentimentData(held_out="dev").dataset().test) == 1


def test_numbers_do_not_depend_on_the_order_of_sentences():
    sentences = [line.split() for line in TRAIN.splitlines()]
    one, other = Vocabulary(sentences, 9), Vocabulary(sentences[::-1], 9)
    assert [one[word] for word in ("a", "but", "film", "dull")] == [other[w] for w in ("a", "but", "film", "dull")]


def test_shapes_are_known_without_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    spec = SentimentData(length=7).dataset().spec
    assert spec["before"].shape == spec["after"].shape == (7,)


@pytest.mark.parametrize(
    ("sentence", "before", "after"),
    [
        ("long but good", "long", "good"),
        ("but it is good", "", "it is good"),
        ("long but dull but good", "long but dull", "good"),
        ("all but", "all", ""),
        ("a button , butter", "", ""),
        ("", "", ""),
    ],
)
def test_the_parts_of_a_sentence_around_a_word(sentence, before, after):
    assert split_at(sentence.split(), "but") == (before.split(), after.split())


def test_a_share_of_the_training_sentences_is_drawn_by_the_seed(folder):
    lines = [f"{i % 2} word{i} is but a word" for i in range(200)]
    (folder / "stsa.binary.train").write_text("\n".join(lines))

    def sentences(**settings):
        train = SentimentData(**settings).dataset().train
        return [tuple(row) for row in train[np.arange(len(train))]["tokens"]]

    one, same, other = (sentences(share=0.1, seed=seed) for seed in (0, 0, 1))
    assert len(set(one)) == 20
    assert one == same
    assert set(one) != set(other)
    assert set(one) < set(sentences())  # numbered as if all were there
    with pytest.raises(UserError, match="share is 0"):
        SentimentData(share=0)


def test_sentences_with_but_that_were_not_drawn_can_stay_without_labels(folder):
    """And those that end on "but", which say nothing after it, go."""
    lines = [f"{i % 2} word{i} {('is', 'but', 'a but')[i % 3]} {('fine', 'fine', '')[i % 3]}" for i in range(60)]
    (folder / "stsa.binary.train").write_text("\n".join(lines))

    def sentences(**settings):
        train = SentimentData(share=0.1, **settings).dataset().train
        found = train[np.arange(len(train))]
        return {tuple(row): label for row, label in zip(found["tokens"], found["label"], strict=True)}

    everything = SentimentData().dataset().train[np.arange(60)]
    but = {tuple(row) for row, after in zip(everything["tokens"], everything["after"], strict=True) if after.any()}
    drawn, both = sentences(), sentences(unlabelled=True)
    assert len(but) == 20
    assert both == {**dict.fromkeys(but, -1), **drawn}


def test_vectors_are_those_of_the_file(folder, tmp_path):
    vocabulary = SentimentData().vocabulary
    file = tmp_path / "vectors.txt"
    file.write_text("3 2\nfilm 1.5 -2\nunheard 7 7\ngood 0.5 4\n")
    table = SentimentData().embedding_init(str(file))(jax.random.key(0), (8192, 2), jnp.float32)
    assert table.shape == (8192, 2)
    np.testing.assert_array_equal(table[vocabulary["film"]], [1.5, -2])
    np.testing.assert_array_equal(table[vocabulary["good"]], [0.5, 4])
    assert table[vocabulary["bad"]].any()
    assert table.std() == pytest.approx(np.std([1.5, -2, 0.5, 4]), rel=0.05)
    with pytest.raises(UserError, match="has 2 where 3 numbers a word are due"):
        vocabulary.vectors(file, 3)
    with pytest.raises(UserError, match="does not exist"):
        vocabulary.vectors(tmp_path / "absent", 2)


def test_a_line_without_a_label_is_one_sentence(folder):
    (folder / "stsa.binary.train").write_text("1 fine\na film\n")
    with pytest.raises(UserError, match="line 2 that does not begin with a label"):
        len(SentimentData().dataset().train)


def test_a_missing_part_is_told_before_training(folder):
    (folder / "stsa.binary.test").unlink()
    with pytest.raises(UserError, match=r"stsa.binary.test does not exist, while its other part does"):
        len(SentimentData().dataset().train)


def test_a_folder_without_sentences_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(UserError, match=r"No file stsa.binary.train is in .*glue/sst2.* is not prepared") as caught:
        len(SentimentData().dataset().train)
    assert "\n" not in str(caught.value)


def test_prepared_sentences_of_tfds_are_read(tmp_path, monkeypatch):
    with registered.skip_registration():

        class LocalGlue(Glue):
            """Prepares sentences of our own under the official name and features; the download is left out."""

            name = "glue"

            def _split_generators(self, dl_manager):
                return {Split.TRAIN: self._sentences(TRAIN), Split.VALIDATION: self._sentences(TEST)}

            def _sentences(self, text):
                for idx, line in enumerate(text.splitlines()):
                    yield idx, {"sentence": line[2:] + " ", "label": int(line[0]), "idx": idx}

    LocalGlue(config="sst2", data_dir=tmp_path, file_format="array_record").download_and_prepare()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    data = SentimentData(length=5, vocabulary_size=6).dataset()
    train = data.train[np.arange(len(data.train))]
    assert sorted(zip(train["tokens"].tolist(), train["label"].tolist(), strict=True)) == [
        ([1, 5, 0, 0, 0], 1),
        ([2, 3, 3, 4, 0], 0),
        ([2, 5, 4, 0, 0], 1),
    ]
    np.testing.assert_array_equal(data.test[np.arange(1)]["label"], [0])
