"""Sequences of a random LSTM by likelihood, by SeqGAN and by a reward that is the same for all, each at temperatures.

`jaxgen train sequence_frontier`; how likely samples are to the oracle is half a figure, which any colder model wins.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Net, Phase, TrainState, View
from jaxgen.data.lstm_oracle import LSTMOracle
from jaxgen.experiment import Experiment
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.policy_gradient import likelihood, log_prob
from jaxgen.methods.adversarial.seqgan import seqgan, written
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.adversarial.sequence import SequenceCritic
from jaxgen.models.autoregressive.lstm import LSTM
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage, carry_over

PAPER = "Yu et al., 2017; Caccia et al., 2020"
MEASURED = {"lstm_oracle": "SeqGAN 0.002 nats of variety behind the likelihood of its quality (seed 0)"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 1200
    """Training steps, of both stages."""
    batch_size: int = 64
    """Sequences in a batch."""
    learning_rate: float = 1e-2
    """Adam's step size for the likelihood; a tenth of it moves what comes after."""
    played: float = 0.1
    """Share of the steps that are games, the last ones."""


ORACLE = LSTMOracle()
TEMPERATURES = (1.2, 1.0, 0.8, 0.6, 0.4, 0.2)
WAYS = ("likelihood", "seqgan", "constant")
SEEN = 1000  # sequences of each, and of the oracle


def measure(view: View) -> dict[str, Any]:
    """By way and temperature: nats a symbol of its samples by the oracle, of the oracle's by it, and its samples."""
    real = ORACLE.sample(jax.random.key(1), SEEN)
    found: dict[str, Any] = {"oracle": -jnp.mean(ORACLE.log_prob(real))}
    for name in WAYS:
        own = part(view, name)
        (logits,) = at_least_float32(own("policy", real))
        at = []
        for temperature in TEMPERATURES:
            log_p = jax.nn.log_softmax(logits / temperature)
            missed = -jnp.mean(jnp.take_along_axis(log_p, real[..., None], axis=-1))
            tokens = written(own, jax.random.key(0), SEEN, ORACLE.length, temperature=temperature)
            at.append({"nats": -jnp.mean(ORACLE.log_prob(tokens)), "missed": missed, "tokens": tokens})
        found[name] = jax.tree.map(lambda *x: jnp.stack(x), *at)
    return found


def draw(found: Mapping[str, Any]) -> Figure:
    """Quality against variety, a line a way and a point a temperature."""
    figure = new_figure(7, 4.6)
    axes = figure.add_subplot()
    colours = dict(zip(WAYS, ("#2563b0", "#c2410c", "#999"), strict=True))
    for name, label in zip(WAYS, ("likelihood", "SeqGAN after it", "a constant reward after it"), strict=True):
        of = found[name]
        axes.plot(of["nats"], of["missed"], "o-", color=colours[name], label=label, markersize=4)
    for temperature, x, y in zip(TEMPERATURES, found[WAYS[0]]["nats"], found[WAYS[0]]["missed"], strict=True):
        axes.annotate(f"{temperature:g}", (x, y), textcoords="offset points", xytext=(6, 4), fontsize=7)
    axes.plot(found["oracle"], found["oracle"], "k*", markersize=11, label="the oracle itself")
    axes.set(
        xlabel="nats a symbol of its samples by the oracle (quality, less is better)",
        ylabel="nats a symbol of the oracle's by it (variety)",
        yscale="log",
    )
    axes.legend(fontsize=8)
    return figure


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """Both halves of every way's figure as it is, those of likelihood when cold, and what the game is ahead of that.

    The last is by how many nats the likelihood's line, at SeqGAN's quality, misses less of the oracle than SeqGAN.
    """
    at, cold = TEMPERATURES.index(1.0), len(TEMPERATURES) - 1
    figures = {"oracle_entropy": float(found["oracle"])}
    for name in WAYS:
        figures[f"nats_{name}"], figures[f"missed_{name}"] = (found[name][key][at] for key in ("nats", "missed"))
    figures["nats_cold"], figures["missed_cold"] = (found[WAYS[0]][key][cold] for key in ("nats", "missed"))
    figures["distinct_cold"] = len(np.unique(found[WAYS[0]]["tokens"][cold], axis=0)) / SEEN
    line = found[WAYS[0]]
    as_good = np.interp(figures["nats_seqgan"], line["nats"][::-1], line["missed"][::-1])
    return {**figures, "behind_likelihood": figures["missed_seqgan"] - as_good}


def rewarded_alike(policy: Net, *, length: int) -> Method:
    """REINFORCE that pays 1 for every sequence and takes no baseline: it learns nothing, and yet it moves."""
    base = likelihood(policy, length=length)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        tokens = jax.lax.stop_gradient(written(view, key, batch["tokens"].shape[0], length))
        return -jnp.mean(log_prob(view, tokens)), Aux()

    return dataclasses.replace(base, phases=(Phase("alike", ("policy",), loss),))


def each_from_the_first(old: TrainState, fresh: TrainState) -> TrainState:
    """Every way begins where the likelihood ended."""
    begun = {name: old.nets["policy"] for name in fresh.nets if name.endswith(".policy")}
    return carry_over(dataclasses.replace(old, nets=begun), fresh)


def experiment(config: Config) -> Experiment:
    """One stage of likelihood; then it stands still, and from the same parameters the two games are played."""
    module, rate, length = LSTM(ORACLE.vocabulary, width=32, dtype=config.dtype), config.learning_rate, ORACLE.length
    policy = functools.partial(Net, module)
    ways = {
        "likelihood": likelihood(policy(optax.sgd(0.0)), length=length),
        "seqgan": seqgan(
            policy(optax.adam(rate / 10), ema_decay=0.8),
            Net(SequenceCritic(dtype=config.dtype), optax.adam(rate / 10)),
            length=length,
            rollouts=4,
            critic_steps=3,
        ),
        "constant": rewarded_alike(policy(optax.adam(rate / 10)), length=length),
    }
    takes = ways["seqgan"].takes  # the others say no more than that symbols are numbers
    ways = {name: dataclasses.replace(way, takes=takes) for name, way in ways.items()}
    played = round(config.played * config.steps)
    first = likelihood(policy(optax.adam(rate)), length=length)
    return Experiment(
        stages=(
            Stage("likelihood", first, config.steps - played),
            Stage("games", side_by_side(ways), played, carry=each_from_the_first),
        ),
        data=ORACLE.dataset(),
        schedule=Schedule(config.steps, log_every=20, checkpoint_every=200),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"frontier": Drawing(measure, draw, numbers)},
    )
