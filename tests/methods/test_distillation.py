"""Rule distillation on four classes with one true rule and one false one, both known exactly."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from rich.console import Console

from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.methods.distillation import rule_distillation
from jaxgen.models.confidences import Confidences
from jaxgen.training.evaluate import sampler
from jaxgen.training.loop import Schedule, Trainer
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.sharding import make_mesh, shardings_of
from jaxgen.training.step import build_step, init_state

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


def trained(batch, confidences, *, pi_0, steps=400):
    student = Net(Student(), optax.adam(0.03))
    method = rule_distillation(student, confidences, sides, inputs="x", strength=4.0, pi_0=pi_0, alpha=0.9)
    state, step = init_state(method, jax.random.key(0), batch), build_step(method)
    once = jax.tree.map(lambda x: x[None], batch)

    @jax.jit
    def run(state):
        return jax.lax.scan(lambda s, _: step(s, once, jax.random.key(1)), state, None, steps)

    return method, *run(state)


def accuracies(method, state):
    figures = method.evaluate(view_of(method, state), examples(4000, 1), jax.random.key(0))
    return {name: float(values.mean()) for name, values in figures.items()}


def test_a_false_rule_loses_its_confidence_and_a_true_one_keeps_it():
    method, state, metrics = trained(examples(500, 0), Net(Confidences((1.0, 1.0)), optax.adam(0.03)), pi_0=0.5)
    true, false = (metrics[f"confidences/lambda_{rule}"][-1] for rule in (0, 1))
    assert false < 0.1
    assert true > 0.9
    assert accuracies(method, state)["teacher_accuracy"] > accuracies(method, state)["student_accuracy"] + 0.05


def test_confidences_without_an_optimizer_stay():
    _, state, metrics = trained(examples(50, 0), Net(Confidences((0.7, 0.2))), pi_0=0.5, steps=3)
    np.testing.assert_allclose(jnp.exp(state.nets["confidences"].params["log"]), [0.7, 0.2], rtol=1e-6)
    assert set(metrics) == {"student/loss", "student/pi", "student/grad_norm"}


def test_the_rule_teaches_what_the_labels_do_not():
    """Labelled: one example of each right class, none of the left ones; the rule tells left from right."""
    data = examples(500, 0)
    label = np.full(500, -1)
    for kind in range(2):
        label[np.flatnonzero(np.asarray(data["label"]) == kind)[:1]] = kind
    batch = {**data, "label": jnp.asarray(label)}
    rule = Net(Confidences((1.0, 1e-6)))
    with_rule, without = (trained(batch, rule, pi_0=pi)[1] for pi in (0.9, 0.0))
    method = trained(batch, rule, pi_0=0.9, steps=1)[0]
    side = {}
    held_out = examples(4000, 1)
    for name, state in {"with": with_rule, "without": without}.items():
        predicted = jnp.argmax(view_of(method, state)("student", held_out["x"], train=False), axis=-1)
        side[name] = float(((predicted < 2) == (held_out["label"] < 2)).mean())
    assert side["with"] > 0.8  # the best any student can, seeing x alone, is 0.84
    assert side["without"] < 0.7


def test_the_student_s_gradient_is_that_of_its_loss_by_hand():
    """At step 0 pi is 0: mean cross-entropy of the labelled alone."""
    data = examples(6, 0)
    batch = {**data, "label": data["label"].at[3:].set(-1)}
    method, _, metrics = trained(batch, Net(Confidences((1.0, 1.0))), pi_0=0.5, steps=1)
    initial = view_of(method, init_state(method, jax.random.key(0), batch))
    log_p = jax.nn.log_softmax(initial("student", data["x"], train=False))
    assert metrics["student/loss"][0] == pytest.approx(float(-log_p[jnp.arange(3), data["label"][:3]].mean()))


def test_a_classifier_trains_without_pictures_and_draws_no_samples(tmp_path):
    batch = examples(8, 0)
    student = Net(Student(), optax.adam(0.03))
    method = rule_distillation(
        student, Net(Confidences((1.0, 1.0))), sides, inputs="x", strength=4.0, pi_0=0.5, alpha=0.9
    )
    mesh = make_mesh(devices=jax.devices()[:1])
    once = jax.tree.map(lambda x: x[None, None], batch)
    trainer = Trainer(method, Schedule(2, 1, 1, 2), lambda start: (once for _ in range(3)), batch, 0, mesh)
    folder, drawn = RunFolder(tmp_path / "run"), []
    folder.create({})
    state = trainer.run(folder, lambda path, samples: drawn.append(path), Console(quiet=True))
    assert state.step == 2
    assert not drawn
    with pytest.raises(UserError, match="draws no samples"):
        sampler(method, mesh, shardings_of(state), 4)(state, jax.random.key(0))
