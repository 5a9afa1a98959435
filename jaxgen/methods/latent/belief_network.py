"""What belief networks of bits share, however they learn: p(x, z), q(z|x), dreams, and held-out bounds.

The networks are those of `jaxgen.models.latent.sbn`, of any depth.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Apply, Array, Batch, Evidence, Latents, Method, Module, Net, Phase, View
from jaxgen.fields import image
from jaxgen.losses import importance, variational
from jaxgen.losses.ancestral import Draw, Replay
from jaxgen.methods.nulls import density_nulls


def recognize(apply: Apply, x: Array, key: Array, draws: int) -> Draw:
    """Draws of q(z|x): layers `[draws, batch, units]` from the data up, and log q(z|x) `[draws, batch]`."""
    draw = Draw(key, draws)
    apply("recognition", x, sample=draw)
    return draw


def log_q(apply: Apply, x: Array, layers: Sequence[Array]) -> Array:
    """log q(z|x) of given layers `[..., batch, units]`, from the data up: `[..., batch]`."""
    replay = Replay(layers)
    apply("recognition", x, sample=replay)
    return replay.log_prob


def log_joint(apply: Apply, x: Array, layers: Sequence[Array]) -> Array:
    """log p(x, z) of given layers `[..., batch, units]`, from the data up: `[..., batch]`."""
    replay = Replay(layers[::-1])
    lead = layers[0].shape[:-1]
    logits = apply("generative", lead=lead, sample=replay).reshape(-1, *x.shape[1:])
    pixels = jnp.broadcast_to(x, (*lead, *x.shape[1:])).reshape(logits.shape)
    return replay.log_prob + variational.bernoulli_log_prob(pixels, logits).reshape(lead)


def dream(apply: Apply, key: Array, count: int) -> tuple[list[Array], Array]:
    """What the model makes up: layers `[count, units]`, from the data up, and the pixels' logits `[count, ...]`."""
    draw = Draw(key)
    logits = apply("generative", lead=(count,), sample=draw)
    return draw.layers[::-1], logits


def belief_network(
    name: str,
    nets: Mapping[str, Net],
    phases: tuple[Phase, ...],
    evaluation_draws: int,
    chunk: int,
    initialize: Callable[[Mapping[str, Module], Array, Batch], Mapping[str, Any]] | None = None,
) -> Method:
    """A method of these networks on the batch field `image`, 0 or 1.

    Args:
      name: its name.
      nets: "generative" and "recognition", and what the phases need besides.
      phases: what learns by which loss.
      evaluation_draws: k of the held-out importance-weighted bound `iw_nats`, a multiple of `chunk`.
      chunk: how many of those are computed at once.
      initialize: in the place of `init`, where there are other networks.
    """
    return Method(
        name=name,
        nets=nets,
        phases=phases,
        init=initialize or init,
        latents=latents(),
        evaluate=evaluate(evaluation_draws, chunk),
        evidence=Evidence(log_weight),
        takes={"image": image(2)},
        nulls=density_nulls("image", image(2)),
    )


def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
    """Variables of "generative" and "recognition"."""
    keys = jax.random.split(key)
    return {
        "generative": modules["generative"].init(keys[0], lead=(1,), sample=Draw(keys[0])),
        "recognition": modules["recognition"].init(keys[1], batch["image"], sample=Draw(keys[1])),
    }


def latents() -> Latents:
    """Dreams, shown as their pixels' means; the latents are keys, since a layer's noise depends on the one above."""

    def prior(key: Array, count: int, batch: Batch | None) -> Array:
        return jax.random.split(key, count)

    def decode(view: View, keys: Array, key: Array) -> Array:
        return jnp.tanh(jax.vmap(lambda key: dream(view, key, 1)[1][0])(keys) / 2)

    return Latents(prior, decode)


def log_weight(view: View, batch: Batch, key: Array) -> Array:
    """log p(x, z) - log q(z|x) at one draw of q, `[batch]`."""
    drawn = recognize(view, batch["image"], key, draws=1)
    return (log_joint(view, batch["image"], drawn.layers) - drawn.log_prob)[0]


def evaluate(draws: int, chunk: int) -> Any:
    """Held-out bounds: by one draw, and by the weights of `draws`."""

    def figures(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        x = batch["image"]
        of_draw = functools.partial(log_weight, view, batch)
        nats = -importance.streamed_iwae(of_draw, key, draws=draws, chunk=chunk)
        return {
            "negative_elbo_nats": -log_weight(view, batch, key),
            "iw_nats": nats,
            "iw_bits_per_dim": nats / np.prod(x.shape[1:]) / np.log(2),
        }

    return figures
