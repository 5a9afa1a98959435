"""Methods side by side are each what they are alone; and a record of the way is of the way."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Aux, Method, Net, Phase, view_of
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.training.pace import due_phases
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)
BATCHES = {"x": jnp.arange(8.0).reshape(2, 4)}


class Point(nn.Module):
    start: float

    @nn.compact
    def __call__(self):
        count = self.variable("calls", "count", jnp.zeros, ())
        if self.is_mutable_collection("calls"):
            count.value += 1
        return self.param("w", lambda key: jnp.asarray(self.start))


def descent(start, rate, repeats=1):
    """w after one step is w + rate (mean x - w) for each repeat, on a batch of its own."""

    def loss(view, batch, key):
        w, moved = view.train("point", key=key)
        return jnp.mean((w - batch["x"]) ** 2) / 2, Aux({"w": w}, {"point": moved})

    def init(modules, key, batch):
        return {"point": {"params": {"w": jnp.asarray(start)}, "calls": {"count": jnp.zeros(())}}}

    return Method(
        "descent",
        {"point": Net(Point(start), optax.sgd(rate), ema_decay=0.5)},
        (Phase("point", ("point",), loss, repeats=repeats),),
        init,
        None,
        lambda view, batch, key: {"error": (view("point") - batch["x"]) ** 2},
    )


def run(method, steps):
    batches = jax.tree.map(lambda x: x[: method.batches_per_step], BATCHES)
    state = init_state(method, KEY, {"x": BATCHES["x"][0]})
    step = jax.jit(build_step(method), static_argnums=3)
    for index in range(steps):
        state, metrics = step(state, batches, KEY, due_phases(method, index))
    return state, metrics


def test_each_is_what_it_is_alone():
    methods = {"slow": descent(0.0, 0.1), "slow.2": descent(1.0, 0.5, repeats=2)}
    together = side_by_side(methods)
    state, metrics = run(together, 3)
    assert together.batches_per_step == 2
    for name, method in methods.items():
        alone, own_metrics = run(method, 3)
        chex.assert_trees_all_equal(state.nets[f"{name}.point"], alone.nets["point"])
        assert metrics[f"{name}.point/w"] == own_metrics["point/w"]
        view, batch = part(view_of(together, state), name), {"x": BATCHES["x"][0]}
        assert view("point") == view_of(method, alone)("point")
        assert view.averaged()("point") == alone.nets["point"].ema["w"]
        figures = together.evaluate(view_of(together, state), batch, KEY)
        np.testing.assert_array_equal(
            figures[f"{name}.error"], method.evaluate(view_of(method, alone), batch, KEY)["error"]
        )


@pytest.mark.parametrize(("frames", "every", "kept"), [(3, 1, [0, 1, 2]), (2, 2, [0, 2]), (7, 1, [0, 1, 2, 3, 4])])
def test_frames_are_what_steps_began_with(frames, every, kept):
    def observe(view):
        return jnp.stack([view("point"), 1.0])

    method = recorded(descent(0.0, 0.5), observe, frames=frames, shape=(2,), every=every)
    state, _ = run(method, 5)
    found = np.asarray(history(view_of(method, state)))
    w = 1.5 * (1 - 0.5 ** np.array(kept))  # halfway from 0 to the mean of 0, 1, 2, 3 at every step
    np.testing.assert_allclose(found[: len(kept)], np.stack([w, np.ones(len(kept))], 1), rtol=1e-6)
    assert not found[len(kept) :].any()
    assert state.nets["point"].params["w"] == pytest.approx(1.5 * (1 - 0.5**5))
