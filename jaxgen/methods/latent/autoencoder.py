"""Autoencoders: a code and what is made of it, by squared error; denoising ones see the image through noise.

Baldi and Hornik, 1989 (a linear one finds the principal components); Vincent et al., 2008; Alain and Bengio, 2014 (what
a denoising one learns is the score of the noised data, `(output - input) / noise^2`).
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import SIGNED, Field
from jaxgen.methods.fits import check


def autoencoder(encoder: Net, decoder: Net, *, noise: Weight = 0.0, field: str = "image") -> Method:
    """An autoencoder of a batch field of floating point, `[batch, ...]`; it is no density, and draws no samples.

    Args:
      encoder: module of `x -> code [batch, ...]`.
      decoder: module of `code -> x`.
      noise: standard deviation of what the encoder's input is noised by, anew in every step; 0 for none.
      field: the batch field; where it is `image`, in [-1, 1].
    """

    def reconstruct(apply: Apply, x: Array) -> Array:
        return apply("decoder", apply("encoder", x)).reshape(x.shape)

    def errors(reconstruction: Array, x: Array) -> Array:
        return jnp.sum(jnp.square(reconstruction - x), tuple(range(1, x.ndim)))

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys, x = jax.random.split(key), batch[field]
        training = view.training(keys[0])
        noised = x + view.weight(noise) * jax.random.normal(keys[1], x.shape, x.dtype)
        return jnp.mean(errors(reconstruct(training, noised), x)), Aux(variables=training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        variables = linen.init(modules["encoder"], keys[0], batch[field])
        code = linen.evaluate(modules["encoder"], variables, (batch[field],), {})
        decoder = linen.init(modules["decoder"], keys[1], code)
        made, numbers = linen.shapes(modules["decoder"], decoder, code), math.prod(batch[field].shape[1:])
        check("the number of values in x", (numbers,), type(modules["decoder"]).__name__, (math.prod(made.shape[1:]),))
        return {"encoder": variables, "decoder": decoder}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        x = batch[field]
        figures = {"squared_error": errors(reconstruct(view, x), x)}
        if noise:
            noised = x + view.weight(noise) * jax.random.normal(key, x.shape, x.dtype)
            figures["denoising_error"] = errors(reconstruct(view, noised), x)
        return figures

    return Method(
        name="denoising autoencoder" if noise else "autoencoder",
        nets={"encoder": encoder, "decoder": decoder},
        phases=(Phase("reconstruction", ("encoder", "decoder"), loss),),
        init=init,
        latents=None,
        evaluate=evaluate,
        takes={field: SIGNED if field == "image" else Field()},
    )
