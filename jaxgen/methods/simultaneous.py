"""Simultaneous moves: every network by its own phase's loss, all of them from the same state."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Method, Phase, Variables, View
from jaxgen.errors import UserError


def simultaneous(base: Method) -> Method:
    """A method whose phases, taken in turn until now, become one.

    Its loss is the sum of theirs, each seeing as constants the networks that it does not train, so that every network
    still descends its own loss. Alternating play sees the other player's last move; simultaneous play does not.

    Raises:
      UserError: a phase repeats, two phases train the same network, or they are not due alike.
    """
    names = [name for phase in base.phases for name in phase.trains]
    alike = {(phase.accumulate, phase.every) for phase in base.phases}
    if any(phase.repeats > 1 for phase in base.phases) or len(set(names)) < len(names) or len(alike) > 1:
        raise UserError(
            f"the phases of {base.name} cannot move at once: each must train other networks, only once, as "
            "often, and over as many micro-batches."
        )

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        total, metrics, variables, memory = jnp.zeros(()), {}, dict[str, Variables](), {}
        for index, phase in enumerate(base.phases):
            others = view.stopped(*(name for name in view.params if name not in phase.trains))
            value, aux = phase.loss(others, batch, jax.random.fold_in(key, index))
            total += value
            memory |= aux.memory
            metrics |= {f"{phase.name}_{name}": x for name, x in {"loss": value, **aux.metrics}.items()}
            variables |= {name: {**variables.get(name, {}), **moved} for name, moved in aux.variables.items()}
        return total, Aux(metrics, variables, memory)

    ((accumulate, every),) = alike
    phase = Phase("simultaneous", tuple(names), loss, accumulate=accumulate, every=every)
    return dataclasses.replace(base, phases=(phase,))
