"""Controlled text: sentences of a planted grammar, whose sentiment, tense and topic are changed and all else kept.

`jaxgen train controlled_text`; `--attribute 0 --independence 0` is the plain VAE beside it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax

from head import Networks, cosine
from jaxgen.core import Array, Batch, Evaluation, Method, Net, View
from jaxgen.data.attribute_grammar import CLASSES, LENGTH, WORDS, attribute_grammar, parsed
from jaxgen.experiment import Experiment
from jaxgen.methods.knowledge.controlled import controlled
from jaxgen.models.knowledge.controlled import AttributeCNN, CodedGenerator, TextEncoder
from jaxgen.training.schedule import Schedule

PAPER = "Hu et al., 2017"
MEASURED = {"attribute_grammar": "not yet run"}
SENTENCES = 500  # of the figures


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    steps: int = 4000
    """Training steps."""
    learning_rate: float = 2e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    labelled: float = 0.1
    """Share of the sentences whose attributes are told."""
    attribute: float = 1.0
    """Weight, from a third of the steps on, of what the discriminators say of the code."""
    independence: float = 0.1
    """Weight, from a third of the steps on, of what the encoder says of z."""
    latent_size: int = 16
    """Length of z."""
    width: int = 96
    """Of the LSTMs' states."""


def rewriting(method: Method) -> Evaluation:
    """Held-out sentences told other codes, judged by the grammar; beside them what copies of them would have."""
    latents = method.latents
    assert latents is not None

    def rewritten(view: View, batch: Batch, code: Array) -> Array:
        z = latents.encode(view, batch)["z"]  # pyright: ignore[reportOptionalCall]
        return latents.decode(view, {"z": z, "code": code}, jax.random.key(0))

    def asked(data: Any) -> tuple[Any, np.ndarray]:
        return data.test[np.arange(SENTENCES)], np.random.default_rng(0).integers(0, CLASSES, (SENTENCES, 3))

    def generated(model: Any, data: Any) -> Mapping[str, float]:
        batch, code = asked(data)
        return judged(batch["tokens"], code, model.apply(rewritten, batch, code))

    def copied(model: Any, data: Any) -> Mapping[str, float]:
        batch, code = asked(data)
        return judged(batch["tokens"], code, batch["tokens"])

    return Evaluation("rewritten", generated, nulls={"untrained": generated, "copied": copied})


def judged(sentences: np.ndarray, codes: np.ndarray, written: np.ndarray) -> Mapping[str, float]:
    """Shares: of what is written that is grammatical, of its attributes that are those asked for, of content kept."""
    pairs = [
        (parsed(before), code, parsed(after)) for before, code, after in zip(sentences, codes, written, strict=True)
    ]
    right = [np.equal(after.attributes, code) if after else np.zeros(len(CLASSES)) for _, code, after in pairs]
    kept = [
        [a == b for a, b in zip(before.content, after.content, strict=True)] if before and after else [False] * 3
        for before, _, after in pairs
    ]
    return {
        "rewritten_grammatical": float(np.mean([after is not None for *_, after in pairs])),
        "rewritten_attributes": float(np.mean(right)),
        "rewritten_content": float(np.mean(kept)),
    }


def experiment(config: Config) -> Experiment:
    """The VAE comes first, its divergence growing; then codes come to mean what the discriminators say."""
    third = max(1, config.steps // 3)

    def later(weight: float) -> optax.Schedule:
        return optax.linear_schedule(0.0, weight, third, transition_begin=third)

    rate = cosine(config.learning_rate, config.steps, 0.0)
    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(rate))
    method = controlled(
        Net(TextEncoder(config.latent_size, config.width, config.dtype), optimizer, ema_decay=0.999),
        Net(CodedGenerator(len(WORDS), LENGTH, config.width, config.dtype), optimizer, ema_decay=0.999),
        Net(AttributeCNN(CLASSES, dtype=config.dtype), optimizer, ema_decay=0.999),
        vocabulary=len(WORDS),
        classes=CLASSES,
        latent_size=config.latent_size,
        attribute=later(config.attribute),
        independence=later(config.independence),
        temperature=optax.linear_schedule(1.0, 0.3, config.steps),
        beta=optax.linear_schedule(0.0, 1.0, third),
    )
    return Experiment(
        method=dataclasses.replace(method, evaluations=(rewriting(method),)),
        data=attribute_grammar(labelled=config.labelled),
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
