"""What an expert did in a world, for those who learn from examples."""

import jax
import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source
from jaxgen.environment import Act, Environment, whole_episodes

_HELD_OUT = 10  # trajectories


def demonstrations(
    name: str, world: Environment, act: Act, *, trajectories: int, limit: int, every: int = 1, seed: int = 0
) -> Dataset:
    """Pairs of some episodes. Fields: "observation" float32 `[features]`, "label" int32 `[]`, the action.

    Held out are the pairs of ten other episodes.

    Args:
      name: of the data set.
      world: the environment.
      act: the expert.
      trajectories: how many episodes to learn from.
      limit: steps of an episode at most.
      every: steps from one pair that is kept to the next, as Ho & Ermon, 2016, keep every twentieth.
      seed: of the episodes.
    """

    def draw(split: int, count: int) -> Examples:
        key = jax.random.fold_in(jax.random.key(seed), split)
        played, alive = jax.device_get(
            jax.jit(lambda key: whole_episodes(world, act, key, count=count, limit=limit))(key)
        )
        kept = alive & (np.arange(limit) % every == 0)[:, None]
        return {
            "observation": played.observation[kept].astype(np.float32),
            "label": played.action[kept].astype(np.int32),
        }

    def describe() -> Examples:
        seen = jax.eval_shape(lambda key: world.observe(world.reset(key)), jax.random.key(0))
        return {"observation": np.zeros((1, *seen.shape), np.float32), "label": np.zeros(1, np.int32)}

    def source(split: str, number: int, count: int) -> Source:
        return Source(name, split, describe, lambda: Memory(draw(number, count)))

    return Dataset(source("train", 0, trajectories), source("test", 1, _HELD_OUT))
