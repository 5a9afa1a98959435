"""Posterior regularization: any method, and what is known about its samples.

Hu et al., 2018, "Deep Generative Models with Learnable Knowledge Constraints", algorithm 1. The E-step is closed: q* is
p reweighted by exp(alpha f), through samples from p. Two M-steps: `teach` fits the base to samples from q* by its own
loss, and so minimises KL(q* || p) where that loss is a likelihood and an adversarial divergence where it is a
discriminator's; `steer` differentiates f through the samples, and so minimises KL(p || q*). What of f is unknown is
learned in a phase of its own.
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
from jaxgen.fields import Field
from jaxgen.losses import posterior_regularization as losses

Draw = Callable[[View, Array, int], Array]  # (view, key, count) -> samples of p [count, ...]


@dataclasses.dataclass(frozen=True)
class Constraint:
    """What is known, `f(x) = known(x) + unknown(x)`, larger where a sample is better, and what that is worth.

    Attributes:
      alpha: nats a unit of f is worth, a number or a schedule of the step; 0 leaves the model alone.
      known: the fixed terms, a pure function `samples [n, ...] -> [n]`.
      unknown: module of `samples -> [n]` for the terms to be learned from data; None if there are none.
    """

    alpha: Weight
    known: Callable[[Array], Array] = lambda x: jnp.zeros(x.shape[0])
    unknown: Net | None = None

    def __post_init__(self) -> None:
        if not callable(self.alpha) and self.alpha < 0:
            raise UserError(f"alpha is {self.alpha}; it must not be negative: change the sign of f instead.")

    def __call__(self, apply: Apply, x: Array) -> Array:
        """f at samples `[n, ...]`, as `[n]`."""
        fixed = self.known(x)
        return fixed if self.unknown is None else fixed + apply("constraint", x)

    def weigh(self, view: View, draw: Draw, key: Array, proposals: int) -> tuple[Array, losses.ImportanceWeights]:
        """The E-step: samples of p, `[proposals, ...]`, and their weights under q*. No gradient passes through."""
        x = stop_gradient(draw(view, key, proposals))
        return x, losses.importance_weights(stop_gradient(self(view, x)), view.weight(self.alpha))


def posterior_sampler(constraint: Constraint, draw: Draw, *, proposals: int) -> Draw:
    """Samples from q*: drawn from `proposals` of p by their weights, with replacement (Rubin, 1987)."""

    def sample(view: View, key: Array, count: int) -> Array:
        keys = jax.random.split(key)
        x, (weights, _) = constraint.weigh(view, draw, keys[0], proposals)
        return x[jax.random.choice(keys[1], proposals, (count,), p=weights)]

    return sample


def teach(
    base: Method,
    constraint: Constraint,
    *,
    draw: Draw | None = None,
    field: str = "image",
    examples: str | None = None,
    proposals: int = 256,
) -> Method:
    """Posterior regularization that adds the base's own loss on samples from q* to its loss on data.

    f needs no gradient. The target of p is the even mixture of the data and q*, so that half of it obeys no more than
    the data do, however large alpha is; `posterior_sampler` draws from q* itself.

    Args:
      base: the method to regularize, explicit or implicit; it trains on the batch field `field`.
      constraint: what is known.
      draw: samples of p as the base's loss wants them in `field`; the base's `sample` unless given, which for a VAE
        shows the means of p(x|z): `methods.latent.vae.ancestral_sampler` draws from p itself.
      field: the batch field of the data.
      examples: the batch field the unknown terms are learned from; `field` unless given.
      proposals: samples of p in an E-step.

    Raises:
      UserError: the base is conditional, so that its samples would stand beside other examples' labels.
    """
    if _is_conditional(base):
        raise UserError(
            f"teach would put samples of {base.name} beside other examples' labels, as it is conditional; use steer."
        )
    draw = draw or base.sample
    sample_posterior = posterior_sampler(constraint, draw, proposals=proposals)

    def taught(phase: Phase) -> Phase:
        def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
            keys = jax.random.split(key, 3)
            samples = sample_posterior(view, keys[0], batch[field].shape[0])
            on_data, aux = phase.loss(view, batch, keys[1])
            for name, moved in aux.variables.items():
                view = view.with_variables(name, moved)
            view = dataclasses.replace(view, memory={**view.memory, **aux.memory})
            on_posterior, then = phase.loss(view, {**batch, field: samples}, keys[2])
            metrics = {**aux.metrics, "on_data": on_data, "on_posterior": on_posterior}
            variables = {name: {**aux.variables.get(name, {}), **moved} for name, moved in then.variables.items()}
            kept = Aux(metrics, {**aux.variables, **variables}, {**aux.memory, **then.memory})
            return on_data + on_posterior, kept

        return dataclasses.replace(phase, loss=loss)

    phases = tuple(taught(phase) for phase in base.phases)
    return _regularized(base, phases, constraint, draw, field, examples or field, proposals)


def steer(
    base: Method,
    constraint: Constraint,
    *,
    through: str,
    draw: Draw | None = None,
    field: str = "image",
    examples: str | None = None,
    proposals: int = 256,
) -> Method:
    """Posterior regularization that adds `-alpha E_p[f]` to what network `through` minimises, by reparametrization.

    Args:
      base: the method to regularize, e.g. a GAN, whose generator still hears from its discriminator.
      constraint: what is known, differentiable with respect to the samples.
      through: the network the samples come from, e.g. "generator" or "decoder".
      draw: samples of p, differentiable with respect to its parameters; the base's `sample` unless given, so that f
        judges a VAE's means of p(x|z), the images it shows, and not their pixels' noise.
      field: the batch field of the data.
      examples: the batch field the unknown terms are learned from; `field` unless given.
      proposals: samples of p in a step.

    Raises:
      UserError: no phase trains `through`.
    """
    draw = draw or base.sample
    if not any(through in phase.trains for phase in base.phases):
        trained = ", ".join(name for phase in base.phases for name in phase.trains)
        raise UserError(f"through is {through!r}, which no phase of {base.name} trains; name one of {trained}.")

    def steered(phase: Phase) -> Phase:
        def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
            keys = jax.random.split(key)
            value, aux = phase.loss(view, batch, keys[0])
            f = constraint(view, draw(view, keys[1], proposals))
            metrics = {**aux.metrics, "constraint": jnp.mean(f)}
            return value + jnp.mean(losses.implicit_m_step(f, view.weight(constraint.alpha))), aux._replace(
                metrics=metrics
            )

        return dataclasses.replace(phase, loss=loss)

    phases = tuple(steered(phase) if through in phase.trains else phase for phase in base.phases)
    return _regularized(base, phases, constraint, draw, field, examples or field, proposals)


def _is_conditional(base: Method) -> bool:
    prior = base.latents and base.latents.prior
    latents = prior and jax.eval_shape(lambda: prior(jax.random.key(0), 1, None))
    return isinstance(latents, Mapping) and "label" in latents


def _regularized(
    base: Method,
    phases: tuple[Phase, ...],
    constraint: Constraint,
    draw: Draw,
    field: str,
    examples: str,
    proposals: int,
) -> Method:
    """The base with other phases, the constraint's own after them, and its figures beside the base's."""
    unknown = constraint.unknown

    def learn(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        x = stop_gradient(draw(view, key, proposals))
        training = view.training(key)
        f_data, f_model = (constraint(training, a) for a in (batch[examples], x))
        alpha = view.weight(constraint.alpha)
        weights, size = losses.importance_weights(f_model, alpha)
        metrics = {"data": jnp.mean(f_data), "posterior": weights @ f_model, "effective_sample_size": size}
        return jnp.mean(losses.irl(f_data, f_model, alpha)), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        initial = base.init(modules, key, batch)
        if unknown is None:
            return initial
        own = linen.init(modules["constraint"], jax.random.fold_in(key, 1), batch[field])
        return {**initial, "constraint": own}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """The base's figures; f of as many samples of p; and n w f, whose mean is E_q*[f]."""
        keys = jax.random.split(key)
        x, (weights, _) = constraint.weigh(view, draw, keys[0], batch[field].shape[0])
        f = constraint(view, x)
        return {
            **base.evaluate(view, batch, keys[1]),
            "constraint": f,
            "constraint_posterior": f.shape[0] * weights * f,
        }

    return dataclasses.replace(
        base,
        name=f"{base.name} with posterior regularization",
        nets={**base.nets, "constraint": unknown} if unknown else base.nets,
        phases=(*phases, Phase("constraint", ("constraint",), learn)) if unknown else phases,
        init=init,
        evaluate=evaluate,
        takes={**base.takes, examples: base.takes.get(examples, Field())} if unknown else base.takes,
    )
