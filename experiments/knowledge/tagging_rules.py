"""A tagger of names in sentences, 32 of them labelled, that knows how names are written and how their tags go together.

`jaxgen train tagging_rules`
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import optax

from head import Networks
from jaxgen.core import Array, Batch, Net
from jaxgen.data.tagging import TAGS, WORDS, is_name, tagged_sentences
from jaxgen.experiment import Experiment
from jaxgen.methods.knowledge.distillation import Predict
from jaxgen.methods.knowledge.sequence_distillation import sequence_distillation
from jaxgen.metrics import entities
from jaxgen.models.knowledge.confidences import Confidences
from jaxgen.models.knowledge.tagger import BiLSTMTagger
from jaxgen.training.schedule import Schedule

NEEDS = "nothing: the sentences are made"
PAPER = "Hu et al., 2016"
MEASURED = {
    "tagged_sentences": "mean F1 of a sentence 0.55 ± 0.10 from 0.41 ± 0.07; teacher 0.59 "
    "(5 seeds, 28-61 s, 2 CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    rules: bool = True
    """Whether the teacher knows the rules; without them it is the student's twin, which knows the labels."""
    labelled: int = 32
    """Training sentences with labels; 640 in all."""
    steps: int = 800
    """Training steps."""
    batch_size: int = 64
    """Sentences in a batch."""
    learning_rate: float = 3e-3
    """Adam's step size."""
    seed: int = 0
    """Of the sentences, initialization and data order."""
    hidden: int = 32
    """Width of the embedding and of each direction's LSTM."""


_TAG = np.arange(TAGS)
_KIND, _INSIDE = (_TAG + 1) // 2, (_TAG > 0) & (_TAG % 2 == 0)


def transitions() -> Array:
    """I goes on a name of its type; and names do not touch, so that B comes after O. `[tags, tags, 2]`."""
    goes_on = ~_INSIDE[None, :] | (_KIND[:, None] == _KIND[None, :])
    apart = (_TAG[:, None] == 0) | (_TAG[None, :] == 0) | _INSIDE[None, :]
    return jnp.stack([goes_on, apart], axis=-1).astype(jnp.float32)


def single_tags(predict: Predict, batch: Batch) -> tuple[Array, Array]:
    """No sentence begins with I; and words are in names if, and only if, they are written as names."""
    first = jnp.arange(batch["word"].shape[1]) == 0
    begins = ~(first[:, None] & _INSIDE)
    written = is_name(batch["word"])[..., None] == (_TAG > 0)
    return jnp.stack([jnp.broadcast_to(begins, written.shape), written], axis=-1), jnp.ones((), bool)


def experiment(config: Config) -> Experiment:
    """Six nats for each rule broken, which no label here ever does."""
    student = BiLSTMTagger(WORDS, TAGS, config.hidden, dropout=0.3, dtype=config.dtype)
    return Experiment(
        method=sequence_distillation(
            Net(student, optax.adam(config.learning_rate), streams=("dropout",)),
            Net(Confidences([1.0] * 4)),
            transitions(),
            single_tags,
            lambda tags, batch: entities.figures(tags, batch["label"]),
            inputs="word",
            strength=6.0 if config.rules else 0.0,
            pi_0=0.9,
            alpha=0.99,
        ),
        data=tagged_sentences(train=640, labelled=config.labelled, seed=config.seed),
        schedule=Schedule(config.steps, log_every=100, sample_every=400, checkpoint_every=400, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
