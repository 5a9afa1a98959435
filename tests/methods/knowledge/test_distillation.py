"""Rule distillation on four classes with one true rule and one false one, both known exactly."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from rich.console import Console

from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.methods.knowledge.distillation import rule_distillation
from jaxgen.models.knowledge.confidences import Confidences
from jaxgen.training.evaluate import sampler
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh, shardings_of
from jaxgen.training.step import build_step, init_state
from jaxgen.training.trainer import Trainer

FAST = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
CENTRES = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])


class Student(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(4)(x)


def examples(count, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(4, size=count)
    return {
        "x": jnp.asarray(CENTRES[label] + rng.normal(size=(count, 2)), jnp.float32),
        "sides": jnp.asarray(CENTRES[label]),  # known to the rules alone
        "label": jnp.asarray(label, jnp.int32),
    }


def sides(predict, batch):
    """True rule: classes 0 and 1 lie right. False rule: classes 0 and 2 lie below."""
    right, below = jnp.array([1.0, 1.0, 0.0, 0.0]), jnp.array([1.0, 0.0, 1.0, 0.0])
    true = jnp.where(batch["sides"][:, :1] > 0, right, 1 - right)
    false = jnp.where(batch["sides"][:, 1:] < 0, below, 1 - below)
    return jnp.stack([true, false], axis=-1), jnp.ones((), bool)


def taught(confidences, rules=sides, **settings):
    student = Net(Student(), optax.adam(0.03))
    return rule_distillation(student, confidences, rules, inputs="x", strength=4.0, alpha=0.9, **settings)


def sides_and_opinion(predict, batch):
    """The true rule; and that the class is the one the network believes in."""
    truth, mask = sides(predict, batch)
    return truth.at[..., 1].set(predict(batch["x"])), mask


def trained(method, batch, *, steps=400):
    step, once = build_step(method), jax.tree.map(lambda x: x[None], batch)

    @FAST
    def run(key):
        state = init_state(method, key, batch)
        return jax.lax.scan(lambda s, _: step(s, once, jax.random.key(1)), state, None, steps)

    return run(jax.random.key(0))


def accuracies(method, state):
    @FAST
    def figures(state, batch):
        return dict(method.evaluate(view_of(method, state), batch, jax.random.key(0)))

    return {name: float(values.mean()) for name, values in figures(state, examples(4000, 1)).items()}


def test_a_false_rule_loses_its_confidence_and_a_true_one_keeps_it():
    method = taught(Net(Confidences((1.0, 1.0)), optax.adam(0.03)), pi_0=0.5)
    state, metrics = trained(method, examples(500, 0))
    true, false = (metrics[f"confidences/lambda_{rule}"][-1] for rule in (0, 1))
    assert false < 0.1
    assert true > 0.9
    right = accuracies(method, state)
    assert right["teacher_accuracy"] > right["student_accuracy"] + 0.05


def test_confidences_without_an_optimizer_stay():
    state, metrics = trained(taught(Net(Confidences((0.7, 0.2))), pi_0=0.5), examples(50, 0), steps=3)
    np.testing.assert_allclose(jnp.exp(state.nets["confidences"].params["log"]), [0.7, 0.2], rtol=1e-6)
    assert set(metrics) == {"student/loss", "student/pi", "student/grad_norm"}


def test_the_rule_teaches_what_the_labels_do_not():
    """Labelled: one example of each right class, none of the left ones; the rule tells left from right."""
    data = examples(500, 0)
    label = np.full(500, -1)
    for kind in range(2):
        label[np.flatnonzero(np.asarray(data["label"]) == kind)[:1]] = kind
    batch = {**data, "label": jnp.asarray(label)}
    held_out = examples(4000, 1)

    @jax.vmap
    def side(pi):
        method = taught(Net(Confidences((1.0, 1e-6))), pi_0=pi)
        said = view_of(method, trained(method, batch)[0])("student", held_out["x"], train=False)
        return jnp.mean((jnp.argmax(said, axis=-1) < 2) == (held_out["label"] < 2))

    with_rule, without = side(jnp.array([0.9, 0.0]))
    assert with_rule > 0.8  # the best any student can, seeing x alone, is 0.84
    assert without < 0.7


@pytest.mark.parametrize("twin", [False, True])
def test_the_losses_are_those_by_hand(twin):
    """At step 1 of alpha 0.9, pi is 0.1; the networks differ, and the teacher is made of the twin if there is one."""
    data = examples(6, 0)
    batch = {**data, "label": data["label"].at[3:].set(-1)}
    method = taught(Net(Confidences((0.7, 0.2))), sides_and_opinion, pi_0=0.5, twin=twin)
    view = view_of(method, init_state(method, jax.random.key(0), batch))
    jax.tree.map(np.testing.assert_array_equal, view.params.get("twin", view.params["student"]), view.params["student"])
    kernels = {name: np.random.default_rng(i).normal(size=(2, 4)) for i, name in enumerate(("twin", "student"))}
    params = {name: {"Dense_0": {"kernel": k, "bias": np.zeros(4)}} for name, k in kernels.items()}
    view = dataclasses.replace(view, params={**view.params, **params}, step=1)
    log_p = {name: np.array(jax.nn.log_softmax(data["x"] @ kernel)) for name, kernel in kernels.items()}
    of = log_p["twin" if twin else "student"]
    q = np.exp(of - 4 * 0.7 * (1 - np.array(sides(None, batch)[0][..., 0])) - 4 * 0.2 * (1 - np.exp(of)))
    q /= q.sum(axis=1, keepdims=True)
    imitated = -(q * log_p["student"]).sum(axis=1)
    nats = {name: -log_p[name][np.arange(3), data["label"][:3]].mean() for name in kernels}
    expected = {"student": 0.9 * nats["student"] + 0.1 * imitated[:3].mean() + 0.1 * imitated[3:].mean()}
    if twin:
        expected["twin"] = nats["twin"]
    got = {phase.name: phase.loss(phase.counted(view, batch), batch, jax.random.key(0))[0] for phase in method.phases}
    assert got == pytest.approx(expected, rel=1e-5)


def test_a_classifier_trains_without_pictures_and_draws_no_samples(tmp_path):
    batch = examples(8, 0)
    method = taught(Net(Confidences((1.0, 1.0))), pi_0=0.5)
    mesh = make_mesh(devices=jax.devices()[:1])
    once = jax.tree.map(lambda x: x[None, None], batch)
    trainer = Trainer(method, Schedule(2, 1, 1, 2), lambda start: (once for _ in range(3)), batch, 0, mesh)
    folder, drawn = RunFolder(tmp_path / "run"), []
    folder.create({})
    state = train([trainer], folder, lambda path, samples: drawn.append(path), Console(quiet=True))
    assert state.step == 2
    assert not drawn
    with pytest.raises(UserError, match="draws no samples"):
        sampler(method, mesh, shardings_of(state), 4)(state, jax.random.key(0))
