"""Maximum likelihood with auxiliary losses: every layer predicts, the lower ones only for a part of the training.

Al-Rfou et al., 2018, "Character-Level Language Modeling with Deeper Self-Attention", section 3: without them their deep
transformers did not train. Predictions at every position are maximum likelihood's own.
"""

import dataclasses
import math
from typing import Any

import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Method, Net, Phase, View
from jaxgen.losses.autoregressive import layer_weights
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood


def deeply_supervised(model: Net, *, event: tuple[int, ...], field: str, steps: int, **settings: Any) -> Method:
    """`maximum_likelihood` of a model's last layer, to whose loss that of the others is added while it counts.

    Args:
      model: module with a method `layer_log_probs`, `symbols [batch, *event] -> [layers, batch]`, first layer to last,
        such as `jaxgen.models.autoregressive.character_transformer`.
      event: shape of an example.
      field: the batch field.
      steps: of the training, of which layer l of n counts for the share l / 2n.
      **settings: of `maximum_likelihood`; not of a conditional model.
    """
    base = maximum_likelihood(model, event=event, field=field, **settings)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        log_p, moved = view.train("model", batch[field], key=key, method="layer_log_probs")
        nats = -jnp.mean(log_p, axis=1)
        weights = layer_weights(view.step, len(nats), steps)
        bits = nats[-1] / (math.prod(event) * math.log(2))
        return jnp.sum(weights * nats), Aux({"bits_per_dim": bits}, {"model": moved})

    return dataclasses.replace(base, phases=(Phase("likelihood", ("model",), loss),))
