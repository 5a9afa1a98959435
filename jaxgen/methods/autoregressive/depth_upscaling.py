"""Depth upscaling: first the whole image in few levels, then, given that, what each pixel lacks of its own.

Menick & Kalchbrenner, 2018, "Generating High Fidelity Images with Subscale Pixel Networks and Multidimensional
Upscaling", section 3.2, with one network for both parts instead of two.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.errors import UserError
from jaxgen.fields import image
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood


def depth_upscaled(model: Net, *, event: tuple[int, int, int], levels: int, coarse: int, **settings: Any) -> Method:
    """`maximum_likelihood` of p(x) = p(x // n) p(x % n | x // n), on the batch field `image`, whole numbers.

    Args:
      model: module of symbols `[batch, 2, *event]`, in raster order, of the larger of `coarse` and n levels.
      event: `(height, width, channels)`.
      levels: values of a pixel.
      coarse: levels of the first part; n = levels / coarse, which it must divide, or numbers would be left over.
      **settings: of `maximum_likelihood`; not of a conditional model.

    Raises:
      UserError: coarse does not divide levels into parts of 2 and more.
    """
    if levels % coarse or not 1 < coarse < levels:
        raise UserError(f"coarse is {coarse}; make it a divisor of levels {levels}, neither 1 nor {levels}.")
    fine = levels // coarse
    base = maximum_likelihood(model, event=(2, *event), levels=max(coarse, fine), **settings)
    (phase,), latents = base.phases, base.latents
    assert latents is not None

    def parted(batch: Batch) -> Batch:
        x = jnp.asarray(batch["image"], jnp.int32)
        return {**batch, "image": jnp.stack([x // fine, x % fine], axis=1)}

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        nats, aux = phase.loss(view, parted(batch), key)
        return nats, aux._replace(metrics={"bits_per_dim": nats / (math.prod(event) * math.log(2))})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return base.init(modules, key, parted(batch))

    def decode(view: View, z: Any, key: Array) -> Array:
        parts = latents.decode(view, z, key)
        x = jnp.minimum(parts[:, 0], coarse - 1) * fine + jnp.minimum(parts[:, 1], fine - 1)
        return x * (2 / (levels - 1)) - 1

    def log_prob(view: View, batch: Batch, key: Array) -> Array:
        return view("model", parted(batch)["image"], method="log_prob")

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        nats = -log_prob(view, batch, key)
        return {"nats": nats, "bits_per_dim": nats / (math.prod(event) * math.log(2))}

    return Method(
        name="depth upscaling",
        nets=base.nets,
        phases=(Phase(phase.name, phase.trains, loss),),
        init=init,
        latents=Latents(latents.prior, decode),
        evaluate=evaluate,
        log_prob=log_prob,
        takes={"image": image(levels)},
    )
