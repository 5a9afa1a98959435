"""A text CNN on the sentences of SST-2, taught by their labels and by a rule: "A but B" has the sentiment of B.

`jaxgen train text_cnn_rules --data-dir FOLDER`, FOLDER being that of `stsa.binary.train` and `.test`.
"""

import dataclasses
from typing import Literal

import jax.numpy as jnp
import optax

from head import Networks
from jaxgen.core import Array, Batch, Net
from jaxgen.data.text import SentimentData
from jaxgen.experiment import Experiment
from jaxgen.logic import average, implies, truth_values
from jaxgen.methods.knowledge.distillation import Predict, rule_distillation
from jaxgen.models.knowledge.confidences import Confidences
from jaxgen.models.knowledge.text_cnn import TextCNN
from jaxgen.training.schedule import Schedule

NEEDS = "the sentences of SST-2, in the folder of --data-dir"
PAPER = "Hu et al., 2016"
MEASURED = {
    "sst2": "test accuracy of the teacher 81.1 ± 0.6 %, on sentences with but 81.1 ± 0.7 % (5 seeds, 2 CPU cores)",
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
    unlabelled: bool = False
    """Whether the student also imitates, on "but" sentences without labels, a teacher made of its twin."""
    pi_0: float = 0.3
    """The most the teacher weighs."""
    alpha: float = 0.995
    """How slowly the teacher comes to be heard, from 0 to 1."""


def same_sentiment(positive: Array, label: Array) -> Array:
    """How true it is that the label is that of a clause which is good with probability `positive`."""
    return average(implies(label == 1, positive), implies(positive, label == 1))


def rules(predict: Predict, batch: Batch) -> tuple[Array, Array]:
    """ "A but B" has the sentiment of B, by the network's own opinion of B; Hu et al. 2016, section 4.1."""
    positive = predict(batch["after"])[:, 1]
    return truth_values([same_sentiment], positive, classes=2), jnp.any(batch["after"] != 0, axis=1)[:, None, None]


def experiment(config: Config) -> Experiment:
    """The network of `text_cnn`, and a teacher made of it and the rule."""
    data = SentimentData(
        share=config.labelled, seed=config.seed, held_out=config.held_out, unlabelled=config.unlabelled
    )
    network = TextCNN(
        data.vocabulary_size,
        embedding=config.embedding,
        features=config.features,
        dropout=config.dropout,
        embedding_init=data.embedding_init(config.vectors),
        dtype=config.dtype,
    )
    return Experiment(
        method=rule_distillation(
            student=Net(network, optax.adam(config.learning_rate), streams=("dropout",)),
            confidences=Net(Confidences([1.0])),
            rules=rules,
            inputs="tokens",
            strength=config.strength,
            pi_0=config.pi_0,
            alpha=config.alpha,
            twin=config.unlabelled,
        ),
        data=data.dataset(),
        schedule=Schedule(steps=config.steps, log_every=50, checkpoint_every=200, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
