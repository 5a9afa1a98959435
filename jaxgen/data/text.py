"""Labelled sentences: read, cut into words, numbered.

A sentence is `length` word numbers: 0 fills up its end, 1 is every word outside of the vocabulary, and the words of the
training split follow by how often they occur there.
"""

import collections
import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data import tfds
from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.errors import UserError
from jaxgen.fields import Field, label

PADDING, UNKNOWN = 0, 1
_FILES = "stsa.binary"  # stsa.binary.train and so on: a label, a space and a tokenized sentence a line

Sentences = tuple[list[list[str]], np.ndarray]  # words of each sentence, labels int32 [sentences]


class Vocabulary:
    """The numbers of words.

    Args:
      sentences: words of the training sentences.
      size: how many numbers there are, with those of padding and of unknown words.
    """

    def __init__(self, sentences: Iterable[Sequence[str]], size: int):
        counts = collections.Counter(word for sentence in sentences for word in sentence)
        # Words that are equally frequent stand in alphabetical order: the numbers do not depend on that of sentences.
        ranked = sorted(counts, key=lambda word: (-counts[word], word))[: size - 2]
        self.size = size
        self._numbers = {word: number for number, word in enumerate(ranked, start=2)}

    def __getitem__(self, word: str) -> int:
        return self._numbers.get(word, UNKNOWN)

    def encode(self, sentences: Sequence[Sequence[str]], length: int) -> np.ndarray:
        """Numbers int32 `[sentences, length]`; what is longer is cut off."""
        tokens = np.full((len(sentences), length), PADDING, np.int32)
        for row, sentence in zip(tokens, sentences, strict=True):
            numbers = [self[word] for word in sentence[:length]]
            row[: len(numbers)] = numbers
        return tokens

    def vectors(self, path: Path, dimensions: int, *, seed: int = 0) -> np.ndarray:
        """Word vectors of a text file, a word and its numbers a line, float32 `[size, dimensions]`.

        Lines of other words, and a first line of two numbers as word2vec's text format has it, are passed over. Words
        that the file lacks get normal noise of the standard deviation of those it has.

        Raises:
          UserError: there is no such file, or it has none of the words, or not that many numbers a word.
        """
        if not path.is_file():
            raise UserError(f"vectors {path} does not exist; name a text file with a word and its numbers a line.")
        found: dict[int, list[str]] = {}
        with path.open(encoding="utf-8") as file:
            for line in file:
                word, *numbers = line.rstrip().split(" ")
                if len(numbers) > 1 and word in self._numbers:
                    found[self._numbers[word]] = numbers
        lengths = {len(numbers) for numbers in found.values()}
        if lengths != {dimensions}:
            there = " and ".join(map(str, sorted(lengths))) or "none of the words"
            raise UserError(
                f"vectors {path} has {there} where {dimensions} numbers a word are due; set embedding to it."
            )
        known = np.array(list(found.values()), np.float32)
        table = np.random.default_rng(seed).normal(0, known.std(), (self.size, dimensions)).astype(np.float32)
        table[list(found)] = known
        return table


@dataclasses.dataclass(frozen=True)
class SentimentData:
    """SST-2, the Stanford Sentiment Treebank (Socher et al., 2013): sentences of film reviews, good (1) or bad (0).

    Read from the files `stsa.binary.{train,dev,test}` in `$TFDS_DATA_DIR` (whole sentences: 6,920, 872 and 1,821), or,
    where those are not, from TensorFlow Datasets' `glue/sst2` there, whose training split is 67,349 phrases and whose
    test split has no labels: what is held out is then "dev" whatever is asked for.

    Attributes:
      length: words of a sentence.
      vocabulary_size: as `Vocabulary` has it.
      share: of the training sentences, drawn by `seed`; the vocabulary is that of all of them.
      seed: see there.
      held_out: which split is the data set's "test".
      unlabelled: whether those of the other training sentences that say something after "but" are kept, labelled -1.
    """

    length: int = 56
    vocabulary_size: int = 8192
    share: float = 1.0
    seed: int = 0
    held_out: Literal["test", "dev"] = "test"
    unlabelled: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UserError(f"share is {self.share}; it must be above 0 and at most 1.")

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """Of the training split, which it reads."""
        return Vocabulary(_sentences("train", self.held_out)[0], self.vocabulary_size)

    def dataset(self) -> Dataset:
        """Fields: "tokens", int32 `[length]`; "before" and "after" the last "but", alike; "label", int32 `[]`."""
        train, test = self._source("train", "train"), self._source("test", self.held_out)
        return Dataset(dataclasses.replace(train.map_once(self._subset), declare=self._declare), test)

    def embedding_init(self, vectors: str = "") -> Callable[..., jax.Array]:
        """Initializer of word vectors `[vocabulary_size, dimensions]`: those of a file, or else normal noise of 0.1."""
        if not vectors:
            return jax.nn.initializers.normal(0.1)
        return lambda key, shape, dtype: jnp.asarray(self.vocabulary.vectors(Path(vectors), shape[1]), dtype)

    def _source(self, split: str, part: str) -> Source:
        fields = ("tokens", "before", "after")

        def describe() -> Examples:
            return {**{field: np.zeros((1, self.length), np.int32) for field in fields}, "label": np.zeros(1, np.int32)}

        def load() -> Memory:
            sentences, labels = _sentences(part, self.held_out)
            before, after = zip(*(split_at(sentence, "but") for sentence in sentences), strict=True)
            parts = zip(fields, (sentences, before, after), strict=True)
            return Memory({**{f: self.vocabulary.encode(x, self.length) for f, x in parts}, "label": labels})

        return Source("sst2", split, describe, load, self._declare)

    def _declare(self) -> dict[str, Field]:
        words = label(self.vocabulary_size)
        return {"tokens": words, "before": words, "after": words, "label": label(2, unlabelled=self.unlabelled)}

    def _subset(self, examples: Examples) -> Examples:
        count = len(examples["label"])
        order = np.random.default_rng(self.seed).permutation(count)
        drawn = np.zeros(count, bool)
        drawn[order[: max(1, round(self.share * count))]] = True
        examples = {**examples, "label": np.where(drawn, examples["label"], -1)}
        kept = drawn | (self.unlabelled & (examples["after"] != PADDING).any(axis=1))
        return {field: x[kept] for field, x in examples.items()}


def split_at(sentence: list[str], word: str) -> tuple[list[str], list[str]]:
    """What stands before and after the last `word`; nothing and nothing where it is not."""
    if word not in sentence:
        return [], []
    after = sentence[::-1].index(word)
    return sentence[: len(sentence) - after - 1], sentence[len(sentence) - after :]


def _sentences(part: str, held_out: str) -> Sentences:
    """Of one of the two parts, where both are there: what is held out must not turn out to be missing at the end."""
    folder = os.environ.get("TFDS_DATA_DIR", "")
    files = {name: Path(folder) / f"{_FILES}.{name}" for name in ("train", held_out)}
    missing = [file for file in files.values() if not file.is_file()]
    if len(missing) == len(files):
        return _from_tfds(folder, "train" if part == "train" else "validation")
    if missing:
        raise UserError(f"{missing[0]} does not exist, while its other part does; put it there, or take that away.")
    return _from_file(files[part])


@functools.cache
def _from_file(file: Path) -> Sentences:
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines, 1):
        if line[:1] not in (["0"], ["1"]):
            raise UserError(f"{file} has a line {number} that does not begin with a label, 0 or 1; mend the file.")
    return [line[1:] for line in lines], np.array([line[0] for line in lines], np.int32)


@functools.cache
def _from_tfds(folder: str, split: str) -> Sentences:
    try:
        records = tfds.records("glue/sst2", data_dir=folder, split=split)
    except UserError as error:
        raise UserError(f"No file {_FILES}.train is in the data folder, nor TFDS' own sentences: {error}") from error
    return [r["sentence"].decode().split() for r in records], np.array([r["label"] for r in records], np.int32)
