"""A text CNN on the sentences of SST-2, taught by their labels and by a rule: "A but B" has the sentiment of B.

`jaxgen train text_cnn_rules --data-dir FOLDER`, FOLDER being that of `stsa.binary.train` and `.test`.
"""

import dataclasses

import jax.numpy as jnp

from jaxgen.core import Array, Batch, Net
from jaxgen.experiment import Experiment
from jaxgen.logic import truth_values
from jaxgen.methods.knowledge.distillation import Predict, rule_distillation
from jaxgen.models.knowledge.confidences import Confidences
from sentences import Sentences, same_sentiment

NEEDS = "the sentences of SST-2, in the folder of --data-dir"
PAPER = "Hu et al., 2016"
MEASURED = {
    "sst2": "test accuracy of the teacher 81.1 ± 0.6 %, on sentences with but 81.1 ± 0.7 % (5 seeds, 2 CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Sentences):
    """Settings."""

    strength: float = 6.0
    """What a broken rule of confidence 1 costs, nats."""
    unlabelled: bool = False
    """Whether the student also imitates, on "but" sentences without labels, a teacher made of its twin."""
    pi_0: float = 0.3
    """The most the teacher weighs."""
    alpha: float = 0.995
    """How slowly the teacher comes to be heard, from 0 to 1."""


def rules(predict: Predict, batch: Batch) -> tuple[Array, Array]:
    """ "A but B" has the sentiment of B, by the network's own opinion of B; Hu et al. 2016, section 4.1."""
    positive = predict(batch["after"])[:, 1]
    return truth_values([same_sentiment], positive, classes=2), jnp.any(batch["after"] != 0, axis=1)[:, None, None]


def experiment(config: Config) -> Experiment:
    """The network of `text_cnn`, and a teacher made of it and the rule."""
    data = config.sentiment(unlabelled=config.unlabelled)
    method = rule_distillation(
        student=config.network(data),
        confidences=Net(Confidences([1.0])),
        rules=rules,
        inputs="tokens",
        strength=config.strength,
        pi_0=config.pi_0,
        alpha=config.alpha,
        twin=config.unlabelled,
    )
    return config.experiment(method, data.dataset())
