"""ADDA: a classifier of one domain made to serve another, whose labels nobody has.

Tzeng et al., 2017, "Adversarial Discriminative Domain Adaptation", equation 9, in two stages: the source's encoder and
classifier learn from its labels; then a copy of the encoder moves until its features of the target domain pass for the
source's, while the source's encoder and the classifier stand still.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Method, Module, Net, Phase, TrainState, View
from jaxgen.fields import Field
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32


def pretraining(encoder: Net, classifier: Net, *, field: str = "image") -> Method:
    """The first stage, on the streams `source`, with `label`, and `target`, of which it sees nothing.

    Args:
      encoder: module of `images -> features [batch, n]`.
      classifier: module of `features -> logits [batch, classes]`.
      field: the field of either stream.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        (logits,) = at_least_float32(training("classifier", training("source", batch["source"][field])))
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["source"]["label"])
        return jnp.mean(losses), Aux({}, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        variables, features = _encoder(modules["source"], keys[0], batch["source"][field])
        return {"source": variables, "classifier": linen.init(modules["classifier"], keys[1], features)}

    return Method(
        name="ADDA, source only",
        nets={"source": encoder, "classifier": classifier},
        phases=(Phase("source", ("source", "classifier"), loss),),
        init=init,
        latents=None,
        evaluate=lambda view, batch, key: _accuracies(view, batch, field, {"source": "source", "target": "source"}),
        takes={"source": {field: Field(), "label": Field(low=0)}},
    )


def adda(encoder: Net, classifier: Net, critic: Net, loss: AdversarialLoss, *, field: str = "image") -> Method:
    """The second stage, on the same streams; it begins with `adapted` of the first.

    Args:
      encoder: as of `pretraining`; the optimizer moves the target's.
      classifier: as of `pretraining`.
      critic: module of `features [batch, n] -> logits [batch]`, real where they are the source's.
      loss: the functions of logits.
      field: the field of either stream.
    """

    def features(apply: Apply, held: Apply, batch: Batch) -> tuple[Array, Array]:
        return held("source", batch["source"][field]), apply("target", batch["target"][field])

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        real, fake = (at_least_float32(training("critic", x))[0] for x in features(view, view, batch))
        metrics = {"accuracy": (jnp.mean(real > 0) + jnp.mean(fake < 0)) / 2}
        return jnp.mean(loss.critic(real, fake)), Aux(metrics, training.moved)

    def target_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        real, fake = (at_least_float32(view("critic", x))[0] for x in features(training, view, batch))
        return jnp.mean(loss.generator(real if loss.paired else None, fake)), Aux({}, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key, 3)
        variables, found = _encoder(modules["source"], keys[0], batch["source"][field])
        return {
            "source": variables,
            "target": variables,
            "classifier": linen.init(modules["classifier"], keys[1], found),
            "critic": linen.init(modules["critic"], keys[2], found),
        }

    still = {"source": Net(encoder.module), "classifier": Net(classifier.module)}
    return Method(
        name="ADDA",
        nets={**still, "target": encoder, "critic": critic},
        phases=(Phase("critic", ("critic",), critic_loss), Phase("target", ("target",), target_loss)),
        init=init,
        latents=None,
        evaluate=lambda view, batch, key: _accuracies(view, batch, field, {"source": "source", "target": "target"}),
        takes={"source": {field: Field()}, "target": {field: Field()}},
    )


def adapted(old: TrainState, fresh: TrainState) -> TrainState:
    """What `adda` begins with: the source's encoder twice, averaged where an average was kept, and the classifier."""
    nets = dict(fresh.nets)
    for name, origin in (("source", "source"), ("target", "source"), ("classifier", "classifier")):
        before = old.nets[origin]
        params = before.params if before.ema is None else before.ema
        ema = None if nets[name].ema is None else jax.tree.map(jnp.copy, params)
        params, variables = jax.tree.map(jnp.copy, (params, before.variables))
        nets[name] = dataclasses.replace(nets[name], params=params, variables=variables, ema=ema)
    return dataclasses.replace(fresh, nets=nets)


def _encoder(module: Module, key: Array, images: Array) -> tuple[Any, Array]:
    variables = linen.init(module, key, images)
    return variables, linen.evaluate(module, variables, (images,), {})


def _accuracies(view: View, batch: Batch, field: str, encoders: Mapping[str, str]) -> dict[str, Array]:
    """Of the streams in the batch that have labels: held-out examples come one stream at a time."""
    return {
        f"{stream}_accuracy": jnp.argmax(view("classifier", view(encoder, batch[stream][field])), -1)
        == batch[stream]["label"]
        for stream, encoder in encoders.items()
        if "label" in batch.get(stream, {})
    }
