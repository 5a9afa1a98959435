"""A text CNN on the sentences of SST-2 that learns whom to trust: does A or B decide the sentiment of "A but B"?

`jaxgen train text_cnn_learned_rules --data-dir FOLDER`, FOLDER being that of `stsa.binary.train`.
"""

import dataclasses
from typing import Literal

import jax.numpy as jnp
import optax

from head import Networks
from jaxgen.core import Array, Batch, Net
from jaxgen.data.source import Dataset
from jaxgen.data.text import SentimentData
from jaxgen.experiment import Experiment
from jaxgen.logic import average, implies, truth_values
from jaxgen.methods.knowledge.distillation import Predict, rule_distillation
from jaxgen.models.knowledge.confidences import Confidences
from jaxgen.models.knowledge.text_cnn import TextCNN
from jaxgen.training.schedule import Schedule

NEEDS = "the sentences of SST-2, in the folder of --data-dir"
PAPER = "Hu et al., 2016b"
MEASURED = {
    "sst2": "test accuracy of the teacher 80.7 ± 0.5 %; lambda of B 0.3, of A 0.1 (5 seeds, 2 CPU cores)",
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
    strength: float = 6.0
    """What a broken rule of confidence 1 costs, nats."""
    pi_0: float = 0.3
    """The most the teacher weighs."""
    alpha: float = 0.995
    """How slowly the teacher comes to be heard, from 0 to 1."""
    confidence_rate: float = 1e-2
    """Adam's step size for the confidences' logarithms."""


def same_sentiment(positive: Array, label: Array) -> Array:
    """How true it is that the label is that of a clause which is good with probability `positive`."""
    return average(implies(label == 1, positive), implies(positive, label == 1))


def rules(predict: Predict, batch: Batch) -> tuple[Array, Array]:
    """Two rules that contradict each other often: the sentence has the sentiment of A; it has that of B."""
    clauses = jnp.stack([batch["before"], batch["after"]])
    truth = [truth_values([same_sentiment], predict(clause)[:, 1], classes=2) for clause in clauses]
    return jnp.concatenate(truth, axis=-1), jnp.any(clauses != 0, axis=-1).T[:, None, :]


def experiment(config: Config) -> Experiment:
    """The network of `text_cnn_rules`, its rule and a wrong one, and confidences that the dev sentences teach."""
    data = SentimentData(share=config.labelled, seed=config.seed, held_out=config.held_out)
    network = TextCNN(
        data.vocabulary_size,
        embedding=config.embedding,
        features=config.features,
        dropout=config.dropout,
        embedding_init=data.embedding_init(config.vectors),
        dtype=config.dtype,
    )
    both, validation = data.dataset(), dataclasses.replace(data, held_out="dev").dataset().test
    return Experiment(
        method=rule_distillation(
            student=Net(network, optax.adam(config.learning_rate), streams=("dropout",)),
            confidences=Net(Confidences([1.0, 1.0]), optax.adam(config.confidence_rate)),
            rules=rules,
            inputs="tokens",
            strength=config.strength,
            pi_0=config.pi_0,
            alpha=config.alpha,
            streams=("sentences", "validation"),
        ),
        data=Dataset.streams(sentences=both, validation=validation),
        schedule=Schedule(steps=config.steps, log_every=50, checkpoint_every=200, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
