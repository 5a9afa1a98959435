"""A text CNN on the sentences of SST-2, taught by their labels alone.

`jaxgen train text_cnn --data-dir FOLDER`, FOLDER being that of `stsa.binary.train` and `.test`.
"""

import dataclasses
from typing import Literal

import optax

from head import Networks
from jaxgen.core import Net
from jaxgen.data.text import SentimentData
from jaxgen.experiment import Experiment
from jaxgen.methods.classification import classification
from jaxgen.models.knowledge.text_cnn import TextCNN
from jaxgen.training.schedule import Schedule

NEEDS = "the sentences of SST-2, in the folder of --data-dir"
PAPER = "Kim, 2014"
MEASURED = {
    "sst2": "test accuracy 80.5 ± 0.5 %, on sentences with but 77.0 ± 1.4 % (5 seeds, 2 CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

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


def experiment(config: Config) -> Experiment:
    """Kim's network, smaller, on sentences without their phrases, its word vectors learned from nothing."""
    data = SentimentData(share=config.labelled, seed=config.seed, held_out=config.held_out)
    network = TextCNN(
        data.vocabulary_size,
        embedding=config.embedding,
        features=config.features,
        dropout=config.dropout,
        embedding_init=data.embedding_init(config.vectors),
        dtype=config.dtype,
    )
    return Experiment(
        method=classification(Net(network, optax.adam(config.learning_rate), streams=("dropout",)), inputs="tokens"),
        data=data.dataset(),
        schedule=Schedule(steps=config.steps, log_every=50, checkpoint_every=200, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
