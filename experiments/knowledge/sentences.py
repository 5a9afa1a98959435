"""What the text CNNs share: the sentences of SST-2, Kim's network, smaller, and what a clause says of its sentence."""

import dataclasses
from typing import Literal

import optax

from head import Networks
from jaxgen.core import Array, Method, Net
from jaxgen.data.source import Dataset
from jaxgen.data.text import SentimentData
from jaxgen.experiment import Experiment
from jaxgen.logic import average, implies
from jaxgen.models.knowledge.text_cnn import TextCNN
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Sentences(Networks):
    """Settings of a text CNN on sentences without their phrases."""

    data: Literal["sst2"] = "sst2"
    """The sentences."""
    steps: int = 600
    """Training steps."""
    batch_size: int = 50
    """Sentences in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size."""
    seed: int = 0
    """Of initialization, data order and noise, and of which sentences have labels."""
    labelled: float = 1.0
    """Share of the training sentences that is used, with its labels."""
    held_out: Literal["test", "dev"] = "test"
    """The sentences that are evaluated."""
    embedding: int = 64
    """Dimensions of a word's vector."""
    features: int = 64
    """Of the convolutions of each width."""
    dropout: float = 0.5
    """Share of the features that training leaves out."""
    vectors: str = ""
    """Text file of word vectors to start from, a word and its numbers a line; none: random ones."""

    def sentiment(self, *, unlabelled: bool = False) -> SentimentData:
        """The sentences, those without labels among them where they are wanted."""
        return SentimentData(share=self.labelled, seed=self.seed, held_out=self.held_out, unlabelled=unlabelled)

    def network(self, data: SentimentData) -> Net:
        """The classifier, which Adam moves."""
        module = TextCNN(
            data.vocabulary_size,
            embedding=self.embedding,
            features=self.features,
            dropout=self.dropout,
            embedding_init=data.embedding_init(self.vectors),
            dtype=self.dtype,
        )
        return Net(module, optax.adam(self.learning_rate), streams=("dropout",))

    def experiment(self, method: Method, data: Dataset) -> Experiment:
        """A method on the sentences."""
        return Experiment(
            method=method,
            data=data,
            schedule=Schedule(steps=self.steps, log_every=50, checkpoint_every=200, steps_per_call=10),
            batch_size=self.batch_size,
            seed=self.seed,
        )


def same_sentiment(positive: Array, label: Array) -> Array:
    """How true it is that the label is that of a clause which is good with probability `positive`."""
    return average(implies(label == 1, positive), implies(positive, label == 1))
