"""What is known of answers: the gradient of what is learned by hand, the answers to each question by themselves."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Aux, Latents, Method, Net, Phase, view_of
from jaxgen.errors import UserError
from jaxgen.methods.knowledge.conditional_regularization import steer_conditional
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
ALPHA, PHI, W = 1.5, 0.7, 0.4
BATCH = {"condition": jnp.array([1.0, -2.0, 0.5]), "answer": jnp.array([2.0, -3.0, 0.25])}


class Number(nn.Module):
    value: float

    @nn.compact
    def __call__(self, *_):
        return self.param("value", nn.initializers.constant(self.value), ())


def answers(seen):
    """Samples w + c + noise; what is drawn is put into `seen`."""

    def decode(view, condition, key):
        noise = jax.random.normal(key, condition.shape)
        seen.append(condition + noise)
        return view("model") + condition + noise

    return Method(
        "answers",
        {"model": Net(Number(W), optax.sgd(0.1))},
        (Phase("model", ("model",), lambda view, batch, key: (jnp.zeros(()), Aux())),),
        lambda modules, key, batch: {"model": modules["model"].init(key)},
        Latents(lambda key, count, batch: batch["condition"], decode, conditional=True),
        lambda view, batch, key: {},
    )


def known(apply, x, batch):
    return apply("weight", x) * x * batch["condition"]


def regularized(seen, learned):
    return steer_conditional(
        answers(seen), known, alpha=ALPHA, through="model", truth="answer", draws=3,
        nets={"weight": Net(Number(PHI), optax.sgd(0.1) if learned else None)}, learned="weight" if learned else None,
    )  # fmt: skip


def slope(method, name):
    """Of a phase's loss, by the one number of network `name`."""
    view = view_of(method, jax.jit(lambda: init_state(method, KEY, BATCH))())
    phase = method.phases[-1]

    def loss(value):
        held = dataclasses.replace(view, params={**view.params, name: {"value": value}})
        return phase.loss(held, BATCH, KEY)[0]

    return jax.grad(loss)(view.params[name]["value"])


def test_the_samples_are_moved_to_where_they_are_better():
    found = slope(regularized([], learned=False), "model")
    assert found == pytest.approx(-ALPHA * PHI * float(jnp.mean(BATCH["condition"])), rel=1e-5)


def test_what_is_learned_tells_the_answers_from_samples_of_the_same_condition():
    seen = []
    found = slope(regularized(seen, learned=True), "weight")
    condition, answer = (np.asarray(BATCH[name], np.float64) for name in ("condition", "answer"))
    x = W + np.asarray(seen[-1], np.float64).reshape(3, 3)  # [draws, batch]
    weights = np.exp(ALPHA * PHI * x * condition)
    weights /= weights.sum(0)
    by_hand = ALPHA * np.mean(-condition * answer + (weights * condition * x).sum(0))
    assert found == pytest.approx(by_hand, rel=1e-4)
    assert np.ptp(weights) > 0.1  # draws differ, so that their weights matter


def test_a_method_without_conditions_is_refused():
    method = answers([])
    free = dataclasses.replace(method, latents=dataclasses.replace(method.latents, conditional=False))
    with pytest.raises(UserError, match="made of examples; answers"):
        steer_conditional(free, known, alpha=1.0, through="model", truth="answer", nets={})
    with pytest.raises(UserError, match="through is 'critic'"):
        steer_conditional(method, known, alpha=1.0, through="critic", truth="answer", nets={})
