"""SeqGAN: a policy that writes sequences, paid by a critic for every symbol what sequences that begin so are worth.

Yu et al., 2017, "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient", algorithm 1 and equations 4 to 8.
Maximum likelihood comes first, as a stage of its own (`policy_gradient.likelihood`).
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.fields import label
from jaxgen.losses.adversarial import AdversarialLoss, non_saturating
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.fits import check


def seqgan(
    policy: Net,
    critic: Net,
    loss: AdversarialLoss = non_saturating,
    *,
    length: int,
    rollouts: int = 16,
    critic_steps: int = 1,
    field: str = "tokens",
) -> Method:
    """A game of sequences, the batch field `tokens`, int `[batch, length]`.

    Args:
      policy: an `models.autoregressive.contract.AutoregressiveModel`. Its average completes the rollouts: with
        `ema_decay=0.8` all parameters lag as the paper's do; without an average the policy does so itself.
      critic: module of `one-hot [batch, length, vocabulary] -> logits [batch]`.
      loss: the critic's game; the policy is paid the probability D.
      length: of a sequence.
      rollouts: completions of every beginning.
      critic_steps: critic updates, each on a fresh batch, before the policy's.
      field: the batch field.
    """
    vocabulary = policy.module.levels  # pyright: ignore[reportAttributeAccessIssue]

    def judged(apply: Apply, tokens: Array) -> Array:
        return at_least_float32(apply("critic", jax.nn.one_hot(tokens, vocabulary)))[0]

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys, count = jax.random.split(key), batch[field].shape[0]
        training = view.training(keys[0])
        real, fake = judged(training, batch[field]), judged(training, written(view, keys[1], count, length))
        metrics = {"real": jnp.mean(real), "fake": jnp.mean(fake)}
        return jnp.mean(loss.critic(real, fake)), Aux(metrics, {"critic": training.moved["critic"]})

    def policy_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys, count = jax.random.split(key, 3), batch[field].shape[0]
        tokens = stop_gradient(written(view, keys[0], count, length))

        def reward(tokens: Array) -> Array:
            return jax.nn.sigmoid(judged(view, tokens))

        worth = stop_gradient(values(view.averaged(), tokens, reward, keys[1], rollouts))
        # What the other sequences are worth at a place has nothing to do with this one's symbol: no bias.
        baseline = (jnp.sum(worth, axis=0) - worth) / (count - 1)
        training = view.training(keys[2])
        log_p = symbol_log_probs(training, tokens)
        value = -jnp.mean(jnp.sum((worth - baseline) * log_p, axis=1))
        return value, Aux({"reward": jnp.mean(worth[:, -1])}, {"policy": training.moved["policy"]})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        check("length", (length,), f"the field {field!r}", batch[field].shape[1:])
        keys = jax.random.split(key)
        return {
            "policy": linen.init(modules["policy"], keys[0], batch[field]),
            "critic": linen.init(modules["critic"], keys[1], jax.nn.one_hot(batch[field], vocabulary)),
        }

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"nats_per_symbol": -jnp.mean(symbol_log_probs(view, batch[field]), axis=1)}

    latents = Latents(
        lambda key, count, batch: {"key": jax.random.split(key, count)},
        lambda view, z, key: written(view, z["key"][0], len(z["key"]), length),
    )
    phases = (
        Phase("critic", ("critic",), critic_loss, repeats=critic_steps),
        Phase("policy", ("policy",), policy_loss),
    )
    nets = {"policy": policy, "critic": critic}
    return Method("SeqGAN", nets, phases, init, latents, evaluate, takes={field: label(vocabulary)})


def symbol_log_probs(apply: Apply, tokens: Array) -> Array:
    """log p of each symbol given those before it, `[batch, length]`, nats."""
    (logits,) = at_least_float32(apply("policy", tokens))
    return jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[..., None], axis=-1)[..., 0]


def values(view: View, tokens: Array, reward: Any, key: Array, rollouts: int) -> Array:
    """What each symbol `[batch, length]` is worth: the mean reward of `rollouts` sequences that begin with it and those
    before it, and of the last one the sequence's own: their equation 4. All are completed in one loop.

    Args:
      view: of the policy that completes.
      tokens: `[batch, length]`.
      reward: `tokens [n, length] -> [n]`.
      key: of the completions.
      rollouts: of each beginning.
    """
    count, length = tokens.shape
    shape = (length - 1, rollouts, count)
    begun = jnp.broadcast_to(tokens, (*shape, length)).reshape(-1, length)
    kept = jnp.broadcast_to(jnp.arange(1, length)[:, None, None], shape).ravel()
    earned = reward(completed(view, begun, kept, key)).reshape(shape)
    return jnp.concatenate([jnp.mean(earned, axis=1), reward(tokens)[None]]).T


def written(view: View, key: Array, count: int, length: int, *, temperature: float = 1.0) -> Array:
    """The policy's own sequences, `[count, length]`."""
    nothing = jnp.zeros((count, length), jnp.int32), jnp.zeros(count, jnp.int32)
    return completed(view, *nothing, key, temperature=temperature)


def completed(view: View, tokens: Array, kept: Array, key: Array, *, temperature: float = 1.0) -> Array:
    """Sequences `[batch, length]` whose first `kept` `[batch]` symbols are those of `tokens`, the others drawn.

    Each is the place in the distribution function of one uniform number, where Gumbel noise would take `vocabulary`.
    """
    count, length = tokens.shape
    module: Any = view.nets["policy"].module
    apply = functools.partial(module.apply, {"params": view.params["policy"]})

    def step(carry: tuple[Any, Array], now: tuple[Array, Array, Array]) -> tuple[tuple[Any, Array], Array]:
        (cache, previous), (place, given, uniform) = carry, now
        cache, logits = apply(cache, place, previous, method="step")
        below = jnp.cumsum(jax.nn.softmax(at_least_float32(logits)[0] / temperature), axis=-1)
        drawn = jnp.sum(below[:, :-1] < uniform[:, None], axis=1)
        symbol = jnp.where(place < kept, given, drawn).astype(jnp.int32)
        return (cache, symbol), symbol

    start = apply((length,), count, method="start"), jnp.zeros(count, jnp.int32)
    places = jnp.arange(length), tokens.T, jax.random.uniform(key, (length, count))
    return jax.lax.scan(step, start, places)[1].T
