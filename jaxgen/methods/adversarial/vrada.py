"""VRADA: series whose last latent tells the class and not the domain, in a variational recurrent network.

Purushotham et al., 2017, "Variational Recurrent Adversarial Deep Domain Adaptation", equations 4 to 7.
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
from jaxgen.losses.variational import elbo


def vrada(
    recurrent: Net, classifier: Net, domain: Net, *, strength: Weight, bound: Weight = 1.0, field: str = "x"
) -> Method:
    """On the streams `source`, with `label` (int `[batch]`), and `target`, whose labels are only evaluated.

    Args:
      recurrent: a `models.latent.vrnn.VRNN` of series `[batch, time, dimensions]`.
      classifier: module of `z [batch, latent] -> logits [batch, classes]`.
      domain: module of `z [batch, latent] -> logits [batch]` that a series is of the source.
      strength: what the recurrent network feels of the domain's gradient, with its sign changed.
      bound: weight of the evidence bound of both domains, in nats a step of time.
      field: the streams' field of the series.
    """
    latent = recurrent.module.latent  # pyright: ignore[reportAttributeAccessIssue]

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys, reversal = jax.random.split(key, 3), view.weight(strength)
        training = view.training(keys[0])
        heard = {}
        for stream, noise_key in zip(("source", "target"), keys[1:], strict=True):
            x = batch[stream][field]
            noise = jax.random.normal(noise_key, (*x.shape[:2], latent), x.dtype)
            heard[stream] = training("recurrent", x, noise)
        nats = -sum(jnp.mean(elbo(h.log_prob, h.kl)) for h in heard.values()) / batch["source"][field].shape[1]
        (logits,) = at_least_float32(training("classifier", heard["source"].last))
        label = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch["source"]["label"]))
        real, fake = (
            at_least_float32(training("domain", gradient_reversal(heard[stream].last, reversal)))[0]
            for stream in ("source", "target")
        )
        domains = jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(fake))
        right = (jnp.mean(real > 0) + jnp.mean(fake < 0)) / 2
        metrics = {"nats": nats, "label": label, "domain": domains, "domain_accuracy": right, "strength": reversal}
        return label + domains + view.weight(bound) * nats, Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys, x = jax.random.split(key, 3), jnp.asarray(batch["source"][field])
        z = jnp.zeros((len(x), latent), x.dtype)
        return {
            "recurrent": linen.init(modules["recurrent"], keys[0], x, jnp.zeros((*x.shape[:2], latent), x.dtype)),
            "classifier": linen.init(modules["classifier"], keys[1], z),
            "domain": linen.init(modules["domain"], keys[2], z),
        }

    def classify(apply: Apply, x: Array) -> Array:
        """By the mean of q all the way, without noise."""
        return apply("classifier", apply("recurrent", x, jnp.zeros((*x.shape[:2], latent), x.dtype)).last)

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {
            f"{stream}_accuracy": jnp.argmax(classify(view, fields[field]), axis=-1) == fields["label"]
            for stream, fields in batch.items()
        }

    nets = {"recurrent": recurrent, "classifier": classifier, "domain": domain}
    takes = {"source": {field: Field(), "label": Field(low=0)}, "target": {field: Field()}}
    return Method("VRADA", nets, (Phase("adapt", tuple(nets), loss),), init, None, evaluate, takes=takes)
