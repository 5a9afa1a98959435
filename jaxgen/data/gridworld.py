"""A square of places of which one pays: small enough that every expectation is a linear equation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.environment import Environment

_MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


class Table(NamedTuple):
    """A decision process of finitely many states.

    Attributes:
      transition: probabilities `[states, actions, states]` of what follows.
      reward: `[states]`, of being there.
      start: probabilities `[states]`.
    """

    transition: np.ndarray
    reward: np.ndarray
    start: np.ndarray


def gridworld(size: int = 5, *, slip: float = 0.1) -> Table:
    """Up, down, left and right from the first corner to the last, which pays 1 and from where one starts again.

    Args:
      size: places a side; state `size * row + column`.
      slip: how often the move is a random one.
    """
    count = size * size
    transition = np.zeros((count, len(_MOVES), count))
    for state in range(count):
        for action in range(len(_MOVES)):
            for other, (down, right) in enumerate(_MOVES):
                row, column = (
                    np.clip(at + by, 0, size - 1) for at, by in zip(divmod(state, size), (down, right), strict=True)
                )
                chance = slip / len(_MOVES) + (1 - slip) * (other == action)
                transition[state, action, size * row + column] += chance
    start, reward = np.eye(count)[0], np.eye(count)[-1]
    transition[-1] = start
    return Table(transition, reward, start)


def tabular(table: Table) -> Environment:
    """The environment of a table: states are numbers, observed as one-hot vectors."""
    states, actions, _ = table.transition.shape
    transition, start = (jnp.cumsum(jnp.asarray(p, jnp.float32), axis=-1) for p in (table.transition, table.start))
    reward = jnp.asarray(table.reward, jnp.float32)

    def drawn(key: jax.Array, below: jax.Array) -> jax.Array:
        """By one uniform number, where Gumbel noise would take as many as there are states."""
        return jnp.sum(below[:-1] < jax.random.uniform(key)).astype(jnp.int32)

    def step(state: jax.Array, action: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        return drawn(key, transition[state, action]), reward[state], jnp.zeros((), bool)

    return Environment(lambda key: drawn(key, start), step, lambda state: jax.nn.one_hot(state, states), actions)
