"""A text CNN on the sentences of SST-2, taught by their labels alone.

`jaxgen train text_cnn --data-dir FOLDER`, FOLDER being that of `stsa.binary.train` and `.test`.
"""

import dataclasses

from jaxgen.experiment import Experiment
from jaxgen.methods.classification import classification
from sentences import Sentences

NEEDS = "the sentences of SST-2, in the folder of --data-dir"
PAPER = "Kim, 2014"
MEASURED = {
    "sst2": "test accuracy 80.5 ± 0.5 %, on sentences with but 77.0 ± 1.4 % (5 seeds, 2 CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Sentences):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """Kim's network, smaller, on sentences without their phrases, its word vectors learned from nothing."""
    data = config.sentiment()
    return config.experiment(classification(config.network(data), inputs="tokens"), data.dataset())
