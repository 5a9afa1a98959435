"""Layers of Bernoulli variables, drawn or scored one after another as a network comes to them.

A network of such layers is written once, with a function `sample(logits) -> z` that it calls for each; what is passed
decides whether it draws (`Draw`) or says how probable given values are (`Replay`). Either remembers what passed.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxgen.losses.variational import bernoulli_log_prob

Sample = Callable[[jax.Array], jax.Array]  # logits [..., n] -> z [..., n]
Rule = Callable[[jax.Array, jax.Array], jax.Array]  # key, logits [..., n] -> z [..., n]


def bits(key: jax.Array, logits: jax.Array) -> jax.Array:
    """0 or 1, without a gradient."""
    return jax.random.bernoulli(key, jax.nn.sigmoid(logits)).astype(logits.dtype)


class _Layers:
    """What passed: layers `[..., n]` in their order, their logits, and log-probabilities `[...]`, added up, in nats."""

    def __init__(self) -> None:
        self.layers: list[jax.Array] = []
        self.logits: list[jax.Array] = []
        self.log_prob: jax.Array = jnp.zeros(())

    def _passed(self, z: jax.Array, logits: jax.Array) -> jax.Array:
        self.layers.append(z)
        self.logits.append(logits)
        flat = z.reshape(-1, z.shape[-1]), logits.reshape(-1, z.shape[-1])
        self.log_prob = self.log_prob + bernoulli_log_prob(*flat).reshape(z.shape[:-1])
        return z


class Draw(_Layers):
    """Draws each layer.

    Args:
      key: PRNG key; each layer has its own.
      draws: of each layer, which is then `[draws, batch, n]`, its logits `[batch, n]` or, depending on another layer,
        `[draws, batch, n]`; None draws one, in the logits' shape.
      rule: how.
    """

    def __init__(self, key: jax.Array, draws: int | None = None, rule: Rule = bits):
        super().__init__()
        self.key, self.draws, self.rule = key, draws, rule

    def __call__(self, logits: jax.Array) -> jax.Array:
        if self.draws is not None:
            logits = jnp.broadcast_to(logits, (self.draws, *logits.shape[-2:]))
        return self._passed(self.rule(jax.random.fold_in(self.key, len(self.layers)), logits), logits)


class Replay(_Layers):
    """Hands out given layers `[..., n]`, in the order in which the network comes to them."""

    def __init__(self, layers: Sequence[jax.Array]):
        super().__init__()
        self.given = layers

    def __call__(self, logits: jax.Array) -> jax.Array:
        z = self.given[len(self.layers)]
        return self._passed(z, jnp.broadcast_to(logits, z.shape))
