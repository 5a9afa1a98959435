"""Whether a state may be saved: an update can make parameters NaN under a finite loss and a finite gradient."""

import jax
import jax.numpy as jnp

from jaxgen.core import Array, TrainState
from jaxgen.errors import NonFiniteError
from jaxgen.training.integrity import named


def check_state(state: TrainState, step: int) -> None:
    """Looks at every array on the devices and fetches one number.

    An optimizer's own bookkeeping may be infinite, as the best value of a plateau is before the first; nothing may be
    NaN, and parameters, averages and collections must be finite.

    Args:
      state: of which nothing is changed.
      step: the run's, for the message.

    Raises:
      NonFiniteError: names the first array that is not.
    """
    if int(_worst(state)) == 0:
        return
    for name, count in named(jax.device_get(_counts(state))).items():
        if count:
            raise NonFiniteError(f"{name} became NaN or infinite by step {step}", step)


@jax.jit
def _worst(state: TrainState) -> Array:
    return sum(jax.tree.leaves(_counts(state)), jnp.zeros((), jnp.int32))


def _counts(state: TrainState) -> dict[str, dict[str, dict[str, Array]]]:
    """1 for each array with a wrong element, else 0."""

    def wrong(leaf: Array, test: object) -> Array:
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return jnp.zeros((), jnp.int32)
        return jnp.any(test(leaf)).astype(jnp.int32)  # pyright: ignore[reportCallIssue]

    def not_finite(leaf: Array) -> Array:
        return wrong(leaf, lambda x: ~jnp.isfinite(x))

    def nan(leaf: Array) -> Array:
        return wrong(leaf, jnp.isnan)

    nets = {
        name: {
            "params": jax.tree.map(not_finite, net.params),
            "variables": jax.tree.map(not_finite, dict(net.variables)),
            "opt_state": jax.tree.map(nan, net.opt_state),
            "ema": jax.tree.map(not_finite, net.ema),
        }
        for name, net in state.nets.items()
    }
    return {"nets": nets, "memory": jax.tree.map(nan, state.memory)}
