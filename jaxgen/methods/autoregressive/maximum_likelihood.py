"""Autoregressive models by maximum likelihood: every symbol predicted from those before it.

Larochelle & Murray, 2011, "The Neural Autoregressive Distribution Estimator"; van den Oord et al., 2016, for images.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import linen, sampling
from jaxgen.codec.coded import Code, CodedMethod
from jaxgen.codec.direct import Direct, of_logits
from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.errors import UserError
from jaxgen.fields import Field
from jaxgen.fields import label as label_of
from jaxgen.methods.fits import check, check_output
from jaxgen.methods.nulls import density_nulls


def maximum_likelihood(
    model: Net,
    *,
    event: tuple[int, ...],
    levels: int,
    field: str = "image",
    classes: int = 0,
    draw: Literal["jacobi", "cached"] = "jacobi",
    adjust: sampling.Adjust = sampling.unchanged,
) -> Method:
    """A model of `jaxgen.models.autoregressive.contract` on a batch field of whole numbers from 0 to `levels - 1`.

    Args:
      model: its module.
      event: shape of an example, `(height, width, channels)` or `(length,)`.
      levels: values of a symbol.
      field: the batch field, `[batch, *event]`.
      classes: of the batch field `label`, on which the model is conditional; 0 is of none. Labels of samples are
        drawn evenly.
      draw: samples by fixed-point iteration of whole passes, or symbol by symbol with what the model keeps.
      adjust: of the logits of samples, such as `jaxgen.sampling.adjustment(temperature=0.9)`.
    """
    size = math.prod(event)

    def inputs(batch: Batch) -> tuple[Array, ...]:
        return (batch[field], batch["label"]) if classes else (batch[field],)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        log_p, moved = view.train("model", *inputs(batch), key=key, method="log_prob")
        nats = -jnp.mean(log_p)
        return nats, Aux({"bits_per_dim": nats / (size * math.log(2))}, {"model": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        check("event", event, f"the field {field!r}", batch[field].shape[1:])
        variables = linen.init(modules["model"], key, *inputs(batch))
        check_output("event by levels", (*event, levels), modules["model"], variables, *inputs(batch))
        return {"model": variables}

    def prior(key: Array, count: int, batch: Batch | None) -> dict[str, Array]:
        """A key for the noise of each example, and its label."""
        noise, label = jax.random.split(key)
        keys = {"noise": jax.random.split(noise, count)}
        return keys | ({"label": jax.random.randint(label, (count,), 0, classes)} if classes else {})

    def steps(view: View, count: int, *condition: Array) -> tuple[Any, Any, np.ndarray]:
        """The model's `step`, what it starts from, and the order of its symbols."""
        module: Any = view.nets["model"].module
        apply = functools.partial(module.apply, {"params": view.params["model"]})
        return (
            functools.partial(apply, method="step"),
            apply(event, count, *condition, method="start"),
            module.order(event),
        )

    def coder(view: View, _: tuple[int, ...], batch: int) -> Direct:
        if classes:
            raise UserError(f"this model is conditional on {classes} classes, which a file does not hold.")
        step, start, order = steps(view, batch)
        return Direct(of_logits(step), start, order, batch)

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        noise = jax.vmap(lambda key: jax.random.gumbel(key, (size, levels)))(latents["noise"])
        label, count = latents.get("label"), len(noise)
        condition = () if label is None else (label,)
        if draw == "jacobi":

            def logits(x: Array) -> Array:
                return view("model", x.reshape(count, *event), *condition).reshape(count, size, levels)

            x, _ = sampling.jacobi(logits, noise, adjust=adjust)
        else:
            step, cache, order = steps(view, count, *condition)
            x = sampling.cached(step, cache, noise, order, adjust=adjust)
        x = x.reshape(count, *event)
        return x * (2 / (levels - 1)) - 1 if len(event) == 3 else x

    def log_prob(view: View, batch: Batch, key: Array) -> Array:
        return view("model", *inputs(batch), method="log_prob")

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        nats = -log_prob(view, batch, key)
        return {"nats": nats, "bits_per_dim": nats / (size * math.log(2))}

    return CodedMethod(
        name="autoregressive",
        nets={"model": model},
        phases=(Phase("likelihood", ("model",), loss),),
        init=init,
        latents=Latents(prior, decode),
        evaluate=evaluate,
        code=Code("autoregressive", field, Field(0, levels - 1, levels), coder, batch=256),
        log_prob=log_prob,
        nulls=density_nulls(field, Field(0, levels - 1, levels)),
        takes={field: Field(0, levels - 1, levels)} | ({"label": label_of(classes)} if classes else {}),
    )
