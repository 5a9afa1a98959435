"""Wake-sleep on belief networks of bits: awake the model learns what is recognized, asleep the recognition its dreams.

Hinton et al., 1995, "The Wake-Sleep Algorithm for Unsupervised Neural Networks"; Bornschein and Bengio, 2015,
"Reweighted Wake-Sleep", algorithm 1. The networks are those of `jaxgen.models.latent.sbn`.
"""

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Method, Net, Phase, View
from jaxgen.losses import variational
from jaxgen.losses.ancestral import bits
from jaxgen.methods.latent.belief_network import belief_network, dream, log_joint, log_q, recognize


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

    phases = Phase("wake", ("generative",), wake), Phase("sleep", ("recognition",), _sleep)
    nets = {"generative": generative, "recognition": recognition}
    return belief_network("wake-sleep", nets, phases, evaluation_draws, chunk)


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

    phases = Phase("wake", ("generative",), wake), Phase("sleep", ("recognition",), wake_recognition)
    nets = {"generative": generative, "recognition": recognition}
    return belief_network("reweighted wake-sleep", nets, phases, evaluation_draws, chunk)


def _sleep(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
    """The recognition of dreams: its gradient is that of KL(p(x, z) || q(z|x)), over the model's own x."""
    keys = jax.random.split(key)
    layers, logits = jax.lax.stop_gradient(dream(view, keys[0], batch["image"].shape[0]))
    return -jnp.mean(log_q(view, bits(keys[1], logits), layers)), Aux()
