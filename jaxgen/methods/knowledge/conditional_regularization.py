"""Posterior regularization of p(x|c), where what is known of a sample depends on what it was made of.

Hu et al., 2018, "Deep Generative Models with Learnable Knowledge Constraints", section 4, for a model that answers: q*
reweights the answers to each c among themselves, so that no answer is paid for an easy question.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Method, Module, Net, Phase, View, Weight
from jaxgen.errors import UserError
from jaxgen.losses import posterior_regularization as losses

# (networks, samples [batch, ...] made of a batch's examples, that batch) -> f [batch], larger where they are better
Knowledge = Callable[[Apply, Array, Batch], Array]


def steer_conditional(
    base: Method,
    f: Knowledge,
    *,
    alpha: Weight,
    through: str,
    truth: str,
    nets: Mapping[str, Net],
    learned: str | None = None,
    draws: int = 2,
) -> Method:
    """Adds `-alpha E[f]` to what network `through` minimises; what of f is unknown is learned from the data's answers.

    Args:
      base: the method to regularize, whose latents are conditional.
      f: what is known, differentiable with respect to the samples.
      alpha: nats a unit of f is worth.
      through: the network the samples come from.
      truth: the batch field of the right answers, like samples.
      nets: what f applies, modules of `samples -> anything`; those without an optimizer stand still.
      learned: the one of them that learns f, by inverse reinforcement learning; None if f is known.
      draws: of each condition, that stand for p in learning.

    Raises:
      UserError: no phase trains `through`, or the base's samples are made of no examples.
    """
    latents = base.latents
    if latents is None or not latents.conditional:
        raise UserError(f"steer_conditional needs a method whose samples are made of examples; {base.name} is none.")
    if not any(through in phase.trains for phase in base.phases):
        trained = ", ".join(name for phase in base.phases for name in phase.trains)
        raise UserError(f"through is {through!r}, which no phase of {base.name} trains; name one of {trained}.")

    def draw(view: View, batch: Batch, key: Array) -> Array:
        keys = jax.random.split(key)
        return latents.decode(view, latents.prior(keys[0], len(batch[truth]), batch), keys[1])

    def steered(phase: Phase) -> Phase:
        def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
            keys = jax.random.split(key)
            value, aux = phase.loss(view, batch, keys[0])
            found = f(view, draw(view, batch, keys[1]), batch)
            value += jnp.mean(losses.implicit_m_step(found, view.weight(alpha)))
            return value, aux._replace(metrics={**aux.metrics, "constraint": jnp.mean(found)})

        return dataclasses.replace(phase, loss=loss)

    def learn(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key)
        again = jax.tree.map(lambda x: jnp.concatenate([x] * draws), batch)
        samples = stop_gradient(draw(view, again, keys[0]))
        training = view.training(keys[1])

        def apply(name: str, *inputs: Any) -> Any:
            return (training if name == learned else view)(name, *inputs)

        f_data, f_model = f(apply, batch[truth], batch), f(apply, samples, again).reshape(draws, -1)
        metrics = {"data": jnp.mean(f_data), "model": jnp.mean(f_model)}
        return jnp.mean(losses.irl(f_data, f_model, view.weight(alpha))), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = dict(zip(nets, jax.random.split(jax.random.fold_in(key, 1), len(nets)), strict=True))
        own = {name: linen.init(modules[name], keys[name], batch[truth]) for name in nets}
        return {**base.init(modules, key, batch), **own}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """The base's figures, and f of an answer to each."""
        keys = jax.random.split(key)
        return {**base.evaluate(view, batch, keys[0]), "constraint": f(view, draw(view, batch, keys[1]), batch)}

    phases = tuple(steered(phase) if through in phase.trains else phase for phase in base.phases)
    return dataclasses.replace(
        base,
        name=f"{base.name} with posterior regularization",
        nets={**base.nets, **nets},
        phases=phases if learned is None else (*phases, Phase("constraint", (learned,), learn)),
        init=init,
        evaluate=evaluate,
    )
