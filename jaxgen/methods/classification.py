"""A classifier trained on labels alone."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import optax

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View
from jaxgen.fields import Field
from jaxgen.losses.arrays import at_least_float32


def classification(classifier: Net, *, inputs: str) -> Method:
    """Cross-entropy of p(y|x), on the batch fields `inputs` and `label` (int `[batch]`), in nats.

    Args:
      classifier: module of `inputs -> logits [batch, classes]`.
      inputs: the field it sees.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        (logits,) = at_least_float32(training("classifier", batch[inputs]))
        correct = jnp.mean(jnp.argmax(logits, axis=-1) == batch["label"])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
        return jnp.mean(losses), Aux({"accuracy": correct}, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"classifier": linen.init(modules["classifier"], key, batch[inputs])}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"accuracy": jnp.argmax(view("classifier", batch[inputs]), axis=-1) == batch["label"]}

    return Method(
        name="classification",
        nets={"classifier": classifier},
        phases=(Phase("classifier", ("classifier",), loss),),
        init=init,
        latents=None,
        evaluate=evaluate,
        takes={inputs: Field(), "label": Field(low=0)},
    )
