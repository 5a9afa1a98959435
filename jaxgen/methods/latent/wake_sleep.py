"""Wake-sleep on belief networks of bits: awake the model learns what is recognized, asleep the recognition its dreams.

Hinton et al., 1995, "The Wake-Sleep Algorithm for Unsupervised Neural Networks"; Bornschein and Bengio, 2015,
"Reweighted Wake-Sleep", algorithm 1. The networks are those of `jaxgen.models.latent.sbn`.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Apply, Array, Aux, Batch, Evidence, Latents, Method, Module, Net, Phase, View
from jaxgen.fields import image
from jaxgen.losses import importance, variational
from jaxgen.losses.ancestral import Draw, Replay, bits


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


def wake_sleep(generative: Net, recognition: Net, *, evaluation_draws: int = 50, chunk: int = 10) -> Method:
    """Two phases that share two networks, on the batch field `image`, 0 or 1.

    Sleep follows wake, so that it dreams what the model has just become.

    Args:
      generative: module of `(lead, sample) -> pixels' logits [*lead, ...]`, that of p(x, z).
      recognition: module of `(x, sample)`, that of q(z|x).
      evaluation_draws: k of the held-out importance-weighted bound `iw_nats`, a multiple of `chunk`.
      chunk: how many of those are computed at once.
    """

    def wake(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        drawn = recognize(view, batch["image"], key, draws=1)
        log_p = log_joint(view, batch["image"], drawn.layers)
        return -jnp.mean(log_p), Aux({"elbo": jnp.mean(log_p - drawn.log_prob)})

    return _belief_network("wake-sleep", generative, recognition, (wake, _sleep), evaluation_draws, chunk)


def reweighted_wake_sleep(
    generative: Net, recognition: Net, *, draws: int, sleep: bool = True, evaluation_draws: int = 50, chunk: int = 10
) -> Method:
    """Wake-sleep in which several draws, by their weights, stand for the posterior, to both networks.

    Args:
      generative: as of `wake_sleep`.
      recognition: as of `wake_sleep`.
      draws: K, of q(z|x).
      sleep: whether the recognition also learns from dreams.
      evaluation_draws: as of `wake_sleep`.
      chunk: as of `wake_sleep`.
    """

    def awake(view: View, batch: Batch, key: Array) -> tuple[Array, Array, Array]:
        drawn = recognize(view, batch["image"], key, draws)
        log_p = log_joint(view, batch["image"], drawn.layers)
        weights = jax.nn.softmax(jax.lax.stop_gradient(log_p - drawn.log_prob), 0)
        return log_p, drawn.log_prob, weights

    def wake(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        log_p, log_q, weights = awake(view, batch, key)
        bound = variational.iwae(log_p - log_q)
        return -jnp.mean(jnp.sum(weights * log_p, 0)), Aux({"bound": jnp.mean(bound)})

    def wake_recognition(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        _, log_q, weights = awake(view, batch, key)
        value = -jnp.mean(jnp.sum(weights * log_q, 0))
        if sleep:
            value += _sleep(view, batch, jax.random.fold_in(key, 1))[0]
        return value, Aux()

    losses = (wake, wake_recognition)
    return _belief_network("reweighted wake-sleep", generative, recognition, losses, evaluation_draws, chunk)


def _sleep(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
    """The recognition of dreams: its gradient is that of KL(p(x, z) || q(z|x)), over the model's own x."""
    keys = jax.random.split(key)
    layers, logits = jax.lax.stop_gradient(dream(view, keys[0], batch["image"].shape[0]))
    return -jnp.mean(log_q(view, bits(keys[1], logits), layers)), Aux()


def _belief_network(
    name: str, generative: Net, recognition: Net, losses: tuple[Any, Any], evaluation_draws: int, chunk: int
) -> Method:
    return Method(
        name=name,
        nets={"generative": generative, "recognition": recognition},
        phases=(Phase("wake", ("generative",), losses[0]), Phase("sleep", ("recognition",), losses[1])),
        init=init,
        latents=latents(),
        evaluate=evaluate(evaluation_draws, chunk),
        evidence=Evidence(log_weight),
        takes={"image": image(2)},
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
