"""Domain adaptation: features that a classifier of the source can use and a classifier of domains cannot.

Ganin et al., 2016, "Domain-Adversarial Training of Neural Networks", equations 9 to 15.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import Field
from jaxgen.losses.adaptation import gradient_reversal
from jaxgen.losses.arrays import at_least_float32


def domain_adversarial(
    features: Net, classifier: Net, domain: Net, *, strength: Weight, field: str = "image"
) -> Method:
    """DANN on the streams `source`, with `label` (int `[batch]`), and `target`, whose labels, if any, are evaluated.

    Args:
      features: module of `images -> [batch, ...]`, of both domains.
      classifier: module of `features -> logits [batch, classes]`.
      domain: module of `features -> logits [batch]` that an example is of the source.
      strength: what the features feel of the domain's gradient, with its sign changed; `reversal_schedule` of the share
        of the steps is the paper's.
      field: the streams' field of the data.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys, reversal = jax.random.split(key), view.weight(strength)
        source, target = view.training(keys[0]), view.training(keys[1])
        of_source, of_target = (
            apply("features", batch[stream][field]) for apply, stream in ((source, "source"), (target, "target"))
        )
        (logits,) = at_least_float32(source("classifier", of_source))
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch["source"]["label"])
        judged = [at_least_float32(source("domain", gradient_reversal(x, reversal)))[0] for x in (of_source, of_target)]
        domains = jnp.mean(jax.nn.softplus(-judged[0])) + jnp.mean(jax.nn.softplus(judged[1]))
        right = (jnp.mean(judged[0] > 0) + jnp.mean(judged[1] < 0)) / 2
        metrics = {"label": jnp.mean(nats), "domain": domains, "domain_accuracy": right, "strength": reversal}
        # Statistics are those of the source, which the labels are of.
        return jnp.mean(nats) + domains, Aux(metrics, source.moved)

    def classify(apply: Apply, images: Array) -> Array:
        return apply("classifier", apply("features", images))

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key, 3)
        variables = linen.init(modules["features"], keys[0], batch["source"][field])
        x = linen.evaluate(modules["features"], variables, (batch["source"][field],), {})
        return {
            "features": variables,
            "classifier": linen.init(modules["classifier"], keys[1], x),
            "domain": linen.init(modules["domain"], keys[2], x),
        }

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {
            f"{stream}_accuracy": jnp.argmax(classify(view, fields[field]), axis=-1) == fields["label"]
            for stream, fields in batch.items()
            if "label" in fields
        }

    nets = {"features": features, "classifier": classifier, "domain": domain}
    phases = (Phase("adapt", tuple(nets), loss),)
    takes = {"source": {field: Field(), "label": Field(low=0)}, "target": {field: Field()}}
    return Method("DANN", nets, phases, init, None, evaluate, takes=takes)
