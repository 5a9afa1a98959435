"""Maximum-entropy inverse reinforcement learning: the reward under which an expert's actions are most likely.

Ziebart, 2010, "Modeling Purposeful Adaptive Behavior with the Principle of Maximum Causal Entropy", theorem 6.4 and
section 9.1. The learned constraints of posterior regularization are the same with one decision; here what is planned is
exact, so the world is a table.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Method, Module, Net, Phase, View
from jaxgen.fields import Field, label
from jaxgen.losses.arrays import at_least_float32
from jaxgen.losses.control import action_values


def max_entropy_irl(reward: Net, transition: ArrayLike, *, discount: float, backups: int = 100) -> Method:
    """Learns from pairs, the fields "observation" (one-hot states) and "label" (actions).

    The mean log-likelihood's gradient is the difference of how often the expert and the reward's own policy are
    anywhere, if the pairs are as frequent as the expert's discounted occupancy has them.

    Args:
      reward: module of `one-hot states [states, states] -> [states]`.
      transition: the world's, `[states, actions, states]`.
      discount: gamma.
      backups: of the values, which are planned anew in every step.
    """
    transition = jnp.asarray(transition, jnp.float32)
    states, actions, _ = transition.shape

    def log_p(apply: Apply, batch: Batch) -> Array:
        (earned,) = at_least_float32(apply("reward", jnp.eye(states)))
        values = action_values(transition, earned, discount, steps=backups, soft=True)
        chosen = jax.nn.log_softmax(values)[jnp.argmax(batch["observation"], axis=-1)]
        return jnp.take_along_axis(chosen, batch["label"][:, None], axis=1)[:, 0]

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        return -jnp.mean(log_p(training, batch)), Aux(variables=training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"reward": linen.init(modules["reward"], key, jnp.eye(states))}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"action_nats": -log_p(view, batch)}

    return Method(
        name="maximum-entropy IRL",
        nets={"reward": reward},
        phases=(Phase("likelihood", ("reward",), loss),),
        init=init,
        latents=None,
        evaluate=evaluate,
        takes={"observation": Field(), "label": label(actions)},
    )
