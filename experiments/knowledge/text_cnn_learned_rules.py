"""A text CNN on the sentences of SST-2 that learns whom to trust: does A or B decide the sentiment of "A but B"?

`jaxgen train text_cnn_learned_rules --data-dir FOLDER`, FOLDER being that of `stsa.binary.train`.
"""

import dataclasses

import jax.numpy as jnp
import optax

from jaxgen.core import Array, Batch, Net
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.logic import truth_values
from jaxgen.methods.knowledge.distillation import Predict, rule_distillation
from jaxgen.models.knowledge.confidences import Confidences
from sentences import Sentences, same_sentiment

NEEDS = "the sentences of SST-2, in the folder of --data-dir"
PAPER = "Hu et al., 2016b"
MEASURED = {
    "sst2": "test accuracy of the teacher 80.7 ± 0.5 %; lambda of B 0.3, of A 0.1 (5 seeds, 2 CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Sentences):
    """Settings."""

    strength: float = 6.0
    """What a broken rule of confidence 1 costs, nats."""
    pi_0: float = 0.3
    """The most the teacher weighs."""
    alpha: float = 0.995
    """How slowly the teacher comes to be heard, from 0 to 1."""
    confidence_rate: float = 1e-2
    """Adam's step size for the confidences' logarithms."""


def rules(predict: Predict, batch: Batch) -> tuple[Array, Array]:
    """Two rules that contradict each other often: the sentence has the sentiment of A; it has that of B."""
    clauses = jnp.stack([batch["before"], batch["after"]])
    truth = [truth_values([same_sentiment], predict(clause)[:, 1], classes=2) for clause in clauses]
    return jnp.concatenate(truth, axis=-1), jnp.any(clauses != 0, axis=-1).T[:, None, :]


def experiment(config: Config) -> Experiment:
    """The network of `text_cnn_rules`, its rule and a wrong one, and confidences that the dev sentences teach."""
    data = config.sentiment()
    both, validation = data.dataset(), dataclasses.replace(data, held_out="dev").dataset().test
    method = rule_distillation(
        student=config.network(data),
        confidences=Net(Confidences([1.0, 1.0]), optax.adam(config.confidence_rate)),
        rules=rules,
        inputs="tokens",
        strength=config.strength,
        pi_0=config.pi_0,
        alpha=config.alpha,
        streams=("sentences", "validation"),
    )
    return config.experiment(method, Dataset.streams(sentences=both, validation=validation))
