"""Integer discrete flows by maximum likelihood: exact probabilities of the pixels as they are.

Hoogeboom et al., 2019, "Integer Discrete Flows and Lossless Compression", section 3.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import linen
from jaxgen.codec.coded import Code, CodedMethod
from jaxgen.codec.integer_flow import IntegerFlow
from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.fields import image
from jaxgen.methods.fits import check
from jaxgen.methods.nulls import density_nulls


def integer_flow(net: Net) -> Method:
    """A `jaxgen.models.flow.idf.IDF` on the batch field `image` `[batch, *event]`, of the module's levels."""
    flow: Any = net.module
    size = math.prod(flow.event)

    def bits(nats: Array) -> Array:
        return nats / (size * math.log(2))

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        log_prob, moved = view.train("flow", batch["image"], key=key)
        nats = -jnp.mean(log_prob)
        return nats, Aux({"bits_per_dim": bits(nats)}, {"flow": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        check("event", flow.event, "the field 'image'", batch["image"].shape[1:])
        return {"flow": linen.init(modules["flow"], key, batch["image"])}

    def prior(key: Array, count: int, batch: Batch | None) -> Array:
        return jax.random.normal(key, (count, *flow.event))

    def decode(view: View, noise: Array, key: Array) -> Array:
        return view("flow", noise, method="sample") * (2 / (flow.levels - 1)) - 1

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        nats = -view("flow", batch["image"])
        return {"nats": nats, "bits_per_dim": bits(nats)}

    def coder(view: View, _: tuple[int, ...], batch: int) -> IntegerFlow:
        @functools.partial(jax.jit, static_argnums=0)
        def compiled(index: int, stays: Array) -> Array:
            return view("flow", index, stays, method="shift").astype(jnp.int32)

        @functools.partial(jax.jit, static_argnums=0)
        def probabilities(scale: int, rest: Array | None) -> Array:
            return view("flow", scale, rest, method="probabilities")

        return IntegerFlow(flow, lambda index, stays: np.asarray(compiled(index, stays)), probabilities, batch)

    takes = image(flow.levels)
    return CodedMethod(
        name="IDF",
        nets={"flow": net},
        phases=(Phase("likelihood", ("flow",), loss),),
        init=init,
        latents=Latents(prior, decode),
        evaluate=evaluate,
        code=Code("integer flow", "image", takes, coder, batch=256),
        takes={"image": takes},
        nulls=density_nulls("image", takes),
    )
