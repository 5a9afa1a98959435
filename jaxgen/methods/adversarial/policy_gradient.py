"""Sequences that are learned from examples first, and then from what a critic or a rule gives for whole ones.

Williams, 1992, REINFORCE, with the batch's mean as its baseline; Ranzato et al., 2016, "Sequence Level Training with
Recurrent Neural Networks", for the order of the two.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.fields import Field
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.fits import check

Apply = Callable[..., Array]


def likelihood(policy: Net, *, length: int, field: str = "tokens") -> Method:
    """Maximum likelihood of the batch field `tokens`, int `[batch, length]`.

    Args:
      policy: module of `tokens [batch, length] -> logits [batch, length, vocabulary]`, of each token given those before
        it alone.
      length: of a sequence.
      field: the batch field.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        return -jnp.mean(log_prob(training, batch[field])), Aux(variables=training.moved)

    return _of(policy, Phase("likelihood", ("policy",), loss), length, field)


def reinforce(policy: Net, reward: Callable[[Array], Array], *, length: int, field: str = "tokens") -> Method:
    """The policy gradient on sequences of its own, `E[(r - b) grad log p]`, b the mean reward of the others.

    Args:
      policy: as of `likelihood`.
      reward: `tokens [batch, length] -> [batch]`.
      length: of a sequence.
      field: the batch field of the examples, whose number alone counts.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        count, noise = batch[field].shape[0], jax.random.fold_in(key, 1)

        def policy_in_training(name: str, tokens: Array) -> Array:
            """Of one noise, such as dropout's masks: sequences are scored by the policy that drew them."""
            return view.train(name, tokens, key=noise)[0]

        tokens = stop_gradient(drawn(policy_in_training, key, count, length))
        (r,) = at_least_float32(stop_gradient(reward(tokens)))
        baseline = (jnp.sum(r) - r) / (count - 1)  # independent of the sequence it is for, so the gradient has no bias
        logits, moved = view.train("policy", tokens, key=noise)
        value = -jnp.mean((r - baseline) * log_prob(lambda *_: logits, tokens))
        return value, Aux({"reward": jnp.mean(r)}, {"policy": moved})

    return _of(policy, Phase("reinforce", ("policy",), loss), length, field)


def log_prob(apply: Apply, tokens: Array) -> Array:
    """log p of whole sequences, `[batch]`, nats."""
    (logits,) = at_least_float32(apply("policy", tokens))
    each = jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[..., None], axis=-1)[..., 0]
    return jnp.sum(each, axis=1)


def drawn(apply: Apply, key: Array, count: int, length: int) -> Array:
    """Sequences `[count, length]`, token by token."""

    def step(tokens: Array, index_and_key: tuple[Array, Array]) -> tuple[Array, None]:
        index, key = index_and_key
        (logits,) = at_least_float32(apply("policy", tokens))
        return tokens.at[:, index].set(jax.random.categorical(key, logits[:, index])), None

    start = jnp.zeros((count, length), jnp.int32)
    return jax.lax.scan(step, start, (jnp.arange(length), jax.random.split(key, length)))[0]


def _of(policy: Net, phase: Phase, length: int, field: str) -> Method:
    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        check("length", (length,), f"the field {field!r}", batch[field].shape[1:])
        return {"policy": linen.init(modules["policy"], key, batch[field])}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"nats": -log_prob(view, batch[field])}

    latents = Latents(
        lambda key, count, batch: {"key": jax.random.split(key, count)},
        lambda view, z, key: drawn(view, z["key"][0], len(z["key"]), length),
    )
    return Method("sequences", {"policy": policy}, (phase,), init, latents, evaluate, takes={field: Field(low=0)})
