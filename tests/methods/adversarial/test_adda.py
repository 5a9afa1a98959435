"""A domain that is the other one moved: the target's encoder finds it, and nothing else moves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxgen.core import Net, view_of
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.adda import adapted, adda, pretraining
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)
SHIFT = 2.0  # of the target domain; labels are the sign, of unequal shares, so that nothing else matches


def batch(key):
    keys = jax.random.split(key, 4)

    def domain(keys, shift):
        label = jax.random.bernoulli(keys[0], 0.3, (256,)).astype(jnp.int32)
        x = 2.0 * label - 1 + 0.3 * jax.random.normal(keys[1], (256,)) + shift
        return {"x": x[:, None], "label": label}

    return {"source": domain(keys[:2], 0.0), "target": domain(keys[2:], SHIFT)}


class Move(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x + self.param("by", nn.initializers.zeros, ())


class Critic(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.tanh(nn.Dense(16)(x)))[:, 0]


def run(method, steps, state=None):
    state = init_state(method, KEY, batch(KEY)) if state is None else state
    step = build_step(method)

    def one(state, key):
        return step(state, jax.tree.map(lambda x: x[None], batch(key)), KEY)[0], None

    return jax.jit(lambda s: jax.lax.scan(one, s, jax.random.split(KEY, steps))[0])(state)


def test_labels_of_the_target_have_no_part_in_training():
    second = adda(
        Net(Move(), optax.adam(0.02)), Net(nn.Dense(2)), Net(Critic(), optax.adam(0.02)), adversarial.non_saturating,
        field="x",
    )  # fmt: skip
    told = batch(KEY)
    untold = {**told, "target": {"x": told["target"]["x"]}}

    @jax.jit
    def losses():
        view = view_of(second, init_state(second, KEY, told))
        return [[phase.loss(view, each, KEY)[0] for phase in second.phases] for each in (told, untold)]

    of_told, of_untold = losses()
    assert of_told == of_untold


@pytest.mark.slow
@pytest.mark.optimized
def test_the_target_is_served_by_a_classifier_that_never_saw_it():
    encoder, classifier = Net(Move(), optax.sgd(0.1)), Net(nn.Dense(2), optax.adam(0.05))
    first = pretraining(encoder, classifier, field="x")
    trained = run(first, 300)
    held = batch(jax.random.key(9))
    figures = first.evaluate(view_of(first, trained), held, KEY)
    assert float(figures["source_accuracy"].mean()) > 0.98
    assert float(figures["target_accuracy"].mean()) < 0.5  # the null: as it is without adaptation
    second = adda(
        Net(Move(), optax.adam(0.02)),
        classifier,
        Net(Critic(), optax.adam(0.01)),
        adversarial.non_saturating,
        field="x",
    )
    begun = adapted(trained, init_state(second, KEY, batch(KEY)))
    np.testing.assert_array_equal(begun.nets["target"].params["by"], trained.nets["source"].params["by"])
    done = run(second, 1000, begun)
    assert float(done.nets["target"].params["by"] - done.nets["source"].params["by"]) == pytest.approx(-SHIFT, abs=0.3)
    assert float(second.evaluate(view_of(second, done), held, KEY)["target_accuracy"].mean()) > 0.95
    for name in ("source", "classifier"):
        jax.tree.map(np.testing.assert_array_equal, done.nets[name].params, trained.nets[name].params)


def test_streams_are_evaluated_one_at_a_time():
    first = pretraining(Net(Move()), Net(nn.Dense(2)), field="x")
    view = view_of(first, init_state(first, KEY, batch(KEY)))
    assert set(first.evaluate(view, {"target": batch(KEY)["target"]}, KEY)) == {"target_accuracy"}
