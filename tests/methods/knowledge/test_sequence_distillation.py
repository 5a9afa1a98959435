"""Rule distillation on chains: its losses and gradients against the enumeration of all sequences."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.methods.knowledge.sequence_distillation import sequence_distillation
from jaxgen.models.knowledge.confidences import Confidences
from jaxgen.training.step import build_step, init_state

TAGS, LENGTH, STRENGTH = 3, 4, 2.0
SEQUENCES = np.array(list(itertools.product(range(TAGS), repeat=LENGTH)))
TRANSITIONS = np.random.default_rng(0).uniform(size=(TAGS, TAGS, 2))
LAMBDA = (0.8, 0.5, 0.3)
BATCH = {
    "word": jnp.array([[1, 2, 3, 4], [4, 3, 0, 0], [2, 2, 1, 0]]),
    "label": jnp.array([[0, 2, 1, -1], [1, 0, -1, -1], [-1, -1, -1, -1]]),
}


class Student(nn.Module):
    @nn.compact
    def __call__(self, words, *, train):
        return nn.Embed(5, TAGS)(words)


def single(predict, batch):
    """Tag 0 is right as far as the network believes it, for words above 2."""
    belief = predict(batch["word"])[..., :1]
    truth = jnp.where(jnp.arange(TAGS) == 0, belief, 1 - belief)
    return truth[..., None], (batch["word"] > 2)[..., None, None]


def figures(tags, batch):
    return {"tags": tags}


def method(optimizer=None):
    return sequence_distillation(
        Net(Student(), optax.adam(1e-2)),
        Net(Confidences(LAMBDA), optimizer),
        TRANSITIONS,
        single,
        figures,
        inputs="word",
        strength=STRENGTH,
        pi_0=0.6,
        alpha=0.5,
    )


def view_at(method, step):
    """Networks that differ, at a step."""
    state = jax.jit(lambda key: init_state(method, key, BATCH))(jax.random.key(0))
    keys = dict(zip(("twin", "student"), jax.random.split(jax.random.key(1)), strict=True))
    for name, key in keys.items():
        table = jax.random.normal(key, (5, TAGS))
        state.nets[name] = state.nets[name].replace(params={"Embed_0": {"embedding": table}})
    return view_of(method, state.replace(step=jnp.array(step)))


def enumerated(view, name, log_lambda):
    """log q* of all sequences of every example, `[batch, sequences]`, made of a network."""
    confidence = jnp.exp(log_lambda)
    log_p = jax.nn.log_softmax(view.params[name]["Embed_0"]["embedding"][BATCH["word"]])
    kept = jnp.asarray(TRANSITIONS[SEQUENCES[:, :-1], SEQUENCES[:, 1:]]) @ confidence[:2]
    between = STRENGTH * (confidence[:2].sum() - kept)  # [sequences, length - 1]
    rows = []
    for example, words in enumerate(np.array(BATCH["word"])):
        length = int((words > 0).sum())
        belief = jnp.exp(log_p[example, :, 0])
        broken = jnp.where(SEQUENCES == 0, 1 - belief, belief) * (words > 2)
        at = jnp.take_along_axis(log_p[example], jnp.asarray(SEQUENCES.T), axis=1).T - STRENGTH * confidence[2] * broken
        scores = at[:, :length].sum(axis=1) - between[:, : length - 1].sum(axis=1)
        # One sequence for each choice of the real tags.
        rows.append(jax.nn.log_softmax(jnp.where(SEQUENCES[:, length:].any(axis=1), -jnp.inf, scores)))
    return jnp.stack(rows)


def marginals(log_q):
    return jnp.einsum("bs,slt->blt", jnp.exp(log_q), jax.nn.one_hot(SEQUENCES, TAGS))


def gradient_of(method, view, name):
    phase = next(phase for phase in method.phases if phase.trains == (name,))

    def loss(params):
        moved = type(view)(**{**vars(view), "params": {**view.params, name: params}})
        return phase.loss(phase.counted(moved, BATCH), BATCH, jax.random.key(0))[0]

    return jax.jit(jax.value_and_grad(loss))(view.params[name])


def test_the_student_s_loss_and_gradient_are_those_of_the_enumeration(x64):
    taught = method()
    view = view_at(taught, 1)
    pi = 0.5  # 1 - alpha, below pi_0
    q = jax.jit(lambda log_lambda: marginals(enumerated(view, "twin", log_lambda)))(view.params["confidences"]["log"])
    labelled, there = np.array(BATCH["label"]) >= 0, np.array(BATCH["word"]) > 0

    def by_hand(params):
        log_p = jax.nn.log_softmax(params["Embed_0"]["embedding"][BATCH["word"]])
        known, unknown = [], []
        for b, t in zip(*np.nonzero(there), strict=True):
            imitated = -jnp.sum(q[b, t] * log_p[b, t])
            if labelled[b, t]:
                known.append(-(1 - pi) * log_p[b, t, BATCH["label"][b, t]] + pi * imitated)
            else:
                unknown.append(imitated)
        return sum(known) / len(known) + pi * sum(unknown) / len(unknown)

    expected = jax.jit(jax.value_and_grad(by_hand))(view.params["student"])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), gradient_of(taught, view, "student"), expected
    )


def test_the_confidences_gradient_is_that_of_the_enumeration(x64):
    taught = method(optax.adam(1e-2))
    view = view_at(taught, 1)
    where = np.nonzero(np.array(BATCH["label"]) >= 0)

    def by_hand(log_lambda):
        q = marginals(enumerated(view, "twin", log_lambda))
        return -jnp.log(q[(*where, BATCH["label"][where])]).mean()

    loss, gradient = gradient_of(taught, view, "confidences")
    expected = jax.jit(jax.value_and_grad(by_hand))(view.params["confidences"]["log"])
    np.testing.assert_allclose(loss, expected[0], rtol=1e-9)
    np.testing.assert_allclose(gradient["log"], expected[1], rtol=1e-9)


def test_the_twin_learns_from_the_labels_alone_and_begins_where_the_student_does():
    taught = method()
    state = init_state(taught, jax.random.key(0), BATCH)
    start = view_of(taught, state)
    jax.tree.map(np.testing.assert_array_equal, start.params["twin"], start.params["student"])
    log_p = jax.nn.log_softmax(start("twin", BATCH["word"], train=False))
    where = np.nonzero(np.array(BATCH["label"]) >= 0)
    _, metrics = jax.jit(build_step(taught))(state, jax.tree.map(lambda x: x[None], BATCH), jax.random.key(0))
    assert metrics["twin/loss"] == pytest.approx(float(-log_p[(*where, BATCH["label"][where])].mean()), rel=1e-5)


def test_the_teacher_evaluated_is_the_best_sequence_of_the_student_s_q(x64):
    taught = method()
    view = view_at(taught, 1)
    got = taught.evaluate(view, BATCH, jax.random.key(0))
    best = SEQUENCES[np.argmax(enumerated(view, "student", view.params["confidences"]["log"]), axis=-1)]
    there = np.array(BATCH["word"]) > 0
    np.testing.assert_array_equal(np.where(there, got["teacher_tags"], 0), best)
    for name in ("twin", "student"):
        table = view.params[name]["Embed_0"]["embedding"]
        np.testing.assert_array_equal(got[f"{name}_tags"], jnp.argmax(table, -1)[BATCH["word"]])
    assert (got["twin_tags"] != got["student_tags"]).any()
