"""Generative adversarial imitation learning: a critic of pairs of observation and action, whose word is the reward.

Ho & Ermon, 2016, algorithm 1, with proximal policy optimization in the place of trust regions. Here D is the
probability that a pair is the expert's. Which function of D is paid decides what is learned where episodes may end: see
`losses.control.surviving`, `ending` and `log_ratio`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View
from jaxgen.environment import Environment, Played
from jaxgen.fields import Field, label
from jaxgen.losses import control
from jaxgen.losses.adversarial import AdversarialLoss, non_saturating
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.policies import log_policy, taken
from jaxgen.methods.adversarial.ppo import ppo


def gail(
    actor: Net,
    value: Net,
    critic: Net,
    world: Environment,
    *,
    paid: Callable[[ArrayLike], Array] = control.log_ratio,
    loss: AdversarialLoss = non_saturating,
    critic_steps: int = 1,
    **settings: Any,
) -> Method:
    """A rollout, a critic that tells its pairs from the expert's, rewards of that critic, and PPO's epochs.

    Args:
      actor: as of `ppo`.
      value: as of `ppo`.
      critic: module of `observation and one-hot action [batch, features + actions] -> logits [batch]`.
      world: the environment, whose own rewards are only logged.
      paid: the logits' reward; the critic stands still while the policy earns it.
      loss: the critic's game.
      critic_steps: critic updates a rollout, each on a fresh batch of the expert's and as many pairs of the rollout.
      **settings: of `ppo`.
    """

    def pairs(seen: Array, action: Array) -> Array:
        return jnp.concatenate([seen, jax.nn.one_hot(action, world.actions)], axis=-1)

    def reward(view: View, played: Played) -> Array:
        x = pairs(played.observation, played.action)
        return paid(view("critic", x.reshape(-1, x.shape[-1]))).reshape(played.action.shape)

    def judge(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys, played = jax.random.split(key), view.memory["rollout"]
        count = len(batch["label"])
        step, environment = (
            jax.random.randint(k, (count,), 0, n) for k, n in zip(keys, played.action.shape, strict=True)
        )
        training = view.training(key)
        real, fake = (
            at_least_float32(training("critic", pairs(*x)))[0]
            for x in (
                (batch["observation"], batch["label"]),
                (played.observation[step, environment], played.action[step, environment]),
            )
        )
        right = (jnp.mean(real > 0) + jnp.mean(fake < 0)) / 2
        return jnp.mean(loss.critic(real, fake)), Aux({"accuracy": right}, training.moved)

    base = ppo(actor, value, world, reward=reward, **settings)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        x = pairs(jnp.asarray(batch["observation"]), jnp.asarray(batch["label"]))
        return {
            **base.init(modules, key, batch),
            "critic": linen.init(modules["critic"], jax.random.fold_in(key, 1), x),
        }

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """How surprising the expert's actions are to the policy, in nats."""
        log_p = log_policy(view, batch["observation"])
        return {"action_nats": -taken(log_p, batch["label"])}

    rollout, *rest = base.phases
    return dataclasses.replace(
        base,
        name="GAIL",
        nets={**base.nets, "critic": critic},
        phases=(rollout, Phase("critic", ("critic",), judge, repeats=critic_steps), *rest),
        init=init,
        evaluate=evaluate,
        takes={"observation": Field(), "label": label(world.actions)},
    )
