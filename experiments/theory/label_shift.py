"""Domains that are to look alike, whose labels are not as frequent: adaptation makes mistakes that nothing asked for.

`jaxgen train label_shift`
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy.spatial.distance import jensenshannon

from demonstrations import Demonstration, drawn
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.losses.adaptation import label_shift_bound, reversal_schedule
from jaxgen.methods.adversarial.domain_adaptation import domain_adversarial
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Zhao et al., 2019, theorem 4.3"
MEASURED = {"shifted_labels": "not yet run"}
SHARES = {"source": 0.5, "target": 0.95}  # of label 1
STRENGTHS = {"source only": 0.0, "DANN": 1.0}
BINS = 40


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 3000
    """Training steps."""


def domain(name: str) -> Dataset:
    """Fields: "x" float32 `[2]`, the label's sign and where the domain lies, both in noise; "label" int32 `[]`."""

    def draw(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
        label = (rng.random(count) < SHARES[name]).astype(np.int32)
        middle = np.stack([2.0 * label - 1, np.full(count, 0.5 * (name == "target"))], 1)
        return {"x": (middle + 0.4 * rng.normal(size=(count, 2))).astype(np.float32), "label": label}

    return drawn("shifted_labels", draw)


def experiment(config: Config) -> Experiment:
    """One feature, so that its distributions can be seen; with the domain's gradient reversed, and without."""
    adam = optax.flatten(optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps), b1=0.5))

    def method(strength: float) -> dict:
        return {
            "features": Net(MLP(1, (32, 32), dtype=config.dtype), adam, ema_decay=0.99),
            "classifier": Net(MLP(2, (32,), dtype=config.dtype), adam, ema_decay=0.99),
            "domain": Net(MLPCritic(hidden=(32, 32), dtype=config.dtype), adam),
            "strength": lambda step: strength * reversal_schedule(step / config.steps),
            "field": "x",
        }

    domains = {name: domain(name) for name in SHARES}
    held_out = {name: data.test[np.arange(len(data.test))] for name, data in domains.items()}
    both = side_by_side({name: domain_adversarial(**method(strength)) for name, strength in STRENGTHS.items()})
    return Experiment(
        method=both,
        data=Dataset.streams(**domains),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"features": Drawing(lambda view: measure(view, held_out), draw, numbers)},
    )


def measure(view: View, held_out: dict) -> dict[str, dict[str, dict[str, Array]]]:
    """Method -> domain -> "feature" and whether it was classified "right", `[examples]` each."""
    found = {}
    for name in STRENGTHS:
        own, found[name] = part(view, name), {}
        for stream, examples in held_out.items():
            feature = own("features", jnp.asarray(examples["x"]))
            right = jnp.argmax(own("classifier", feature), -1) == examples["label"]
            found[name][stream] = {"feature": feature[:, 0].astype(jnp.float32), "right": right}
    return found


def draw(found: dict) -> Figure:
    """The feature's distribution in both domains, with each domain's accuracy."""
    figure = new_figure(10, 4)
    for axes, (name, domains) in zip(figure.subplots(1, 2), found.items(), strict=True):
        _, edges = histograms(domains)
        for stream, of in domains.items():
            label = f"{stream}, {of['right'].mean():.3f} right"
            axes.hist(of["feature"], edges, density=True, alpha=0.5, label=label)
        axes.set(title=name, xlabel="feature")
        axes.legend()
    return figure


def histograms(domains: dict) -> tuple[list[np.ndarray], np.ndarray]:
    """Of the feature in source and target, and the edges of the bins."""
    edges = np.histogram_bin_edges(np.concatenate([of["feature"] for of in domains.values()]), BINS)
    return [np.histogram(domains[stream]["feature"], edges)[0] for stream in SHARES], edges


def numbers(found: dict) -> dict[str, float]:
    """Accuracies in the target; and of DANN both domains' errors together, beside what they are at least."""
    dann = found["DANN"]
    alignment = jensenshannon(*histograms(dann)[0], base=2)
    source, target = (np.array([1 - share, share]) for share in SHARES.values())
    return {
        "source_only_accuracy": float(found["source only"]["target"]["right"].mean()),
        "dann_accuracy": float(dann["target"]["right"].mean()),
        "dann_errors": float(sum(1 - of["right"].mean() for of in dann.values())),
        "bound": float(label_shift_bound(source, target, alignment)),
        "alignment": float(alignment),
    }
