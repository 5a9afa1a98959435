"""Flows of noisy images: Gaussian noise in the place of dequantization, taken off samples again by the flow's score.

Zhai et al., 2024, "Normalizing Flows are Capable Generative Models": noise that is wider than a level's cell makes the
density smooth, at the price of noisy samples, which one step along the score takes to the mean of their clean images.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED, label
from jaxgen.losses.flow import log_likelihood


def noisy_image_flow(
    net: Net,
    *,
    event_shape: tuple[int, ...],
    noise: float,
    denoise: bool = True,
    classes: int | None = None,
    untold: float = 0.1,
    guided: Module | None = None,
) -> Method:
    """A flow on the batch field `image` in [-1, 1] plus Gaussian noise, whose figures are nats of noisy images.

    Args:
      net: a bijector whose base has the data's shape.
      event_shape: `(height, width, channels)`.
      noise: its standard deviation; the paper's are 0.05 to 0.15.
      denoise: whether samples y become E[x | y] = y + noise²·∇ log p(y), Tweedie's formula; otherwise they are y.
      classes: how many values the batch field `label` has, which the flow is told; None tells it nothing.
      untold: share of the labels that training makes -1, so that the flow knows images of any class, too.
      guided: a module of the same parameters that draws in the place of the net's, such as a `tarflow` with guidance.

    Raises:
      UserError: the noise is not positive.
    """
    if noise <= 0:
        raise UserError(f"noise is {noise}; make it positive, or take image_flow, which dequantizes.")

    def noisy(batch: Batch, key: Array) -> Array:
        return batch["image"] + noise * jax.random.normal(key, batch["image"].shape)

    def condition(fields: Mapping[str, Any]) -> tuple[Array, ...]:
        return () if classes is None else (fields["label"],)

    def density(apply: Apply, y: Array, *told: Array) -> Array:
        return log_likelihood(*apply("flow", y, *told, method="inverse_and_log_det"))

    def clean(view: View, y: Array, *told: Array) -> Array:
        return y + noise**2 * jax.grad(lambda y: jnp.sum(density(view, y, *told)))(y)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        training = view.training(keys[0])
        told = [jnp.where(jax.random.bernoulli(keys[2], untold, c.shape), -1, c) for c in condition(batch)]
        return -jnp.mean(density(training, noisy(batch, keys[1]), *told)), Aux(variables=training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        inputs = noisy(batch, keys[1]), *condition(batch)
        return {"flow": linen.init(modules["flow"], keys[0], *inputs, method="inverse_and_log_det")}

    def prior(key: Array, count: int, batch: Batch | None) -> dict[str, Array]:
        keys = jax.random.split(key)
        z = {"z": jax.random.normal(keys[0], (count, *event_shape))}
        return z if classes is None else {**z, "label": jax.random.randint(keys[1], (count,), 0, classes)}

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        inputs, settings = (latents["z"], *condition(latents)), {"method": "forward_and_log_det"}
        if guided is None:
            y, _ = view("flow", *inputs, **settings)
        else:
            y, _ = linen.evaluate(guided, {"params": view.params["flow"], **view.variables["flow"]}, inputs, settings)
        return jnp.clip(clean(view, y, *condition(latents)) if denoise else y, -1, 1)

    def encode(view: View, batch: Batch) -> dict[str, Array]:
        z, _ = view("flow", batch["image"], *condition(batch), method="inverse_and_log_det")
        return {"z": z} if classes is None else {"z": z, "label": batch["label"]}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """Also which share of the noise is left in noisy images that are cleaned: 1 would be none taken off."""
        y = noisy(batch, key)
        left = jnp.square(clean(view, y, *condition(batch)) - batch["image"])
        return {
            "noisy_nats": -density(view, y, *condition(batch)),
            "noise_left": jnp.mean(left, axis=tuple(range(1, left.ndim))) / noise**2,
        }

    latents, phases = Latents(prior, decode, encode), (Phase("likelihood", ("flow",), loss),)
    takes = {"image": SIGNED} | ({} if classes is None else {"label": label(classes)})
    return Method("noisy flow", {"flow": net}, phases, init, latents, evaluate, takes=takes)
