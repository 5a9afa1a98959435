"""The rule teacher against the constrained program it solves, and distillation against its limits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import minimize
from scipy.special import rel_entr, softmax

from jaxgen.errors import UserError
from jaxgen.losses import distillation

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("strength", [0.5, 6.0])
def test_the_teacher_solves_the_program_with_slacks(x64, strength):
    """min KL(q || p) + C sum xi over q and xi >= 0, with lambda_l (1 - E_q[r_l]) <= xi_l, by SLSQP."""
    classes, rules = 4, 3
    logits, values, confidences = (
        RNG.normal(size=classes),
        RNG.uniform(size=(classes, rules)),
        np.array([1.0, 0.3, 2.0]),
    )
    p = softmax(logits)

    def loss(x):
        return rel_entr(x[:classes], p).sum() + strength * x[classes:].sum()

    constraints = [
        {"type": "eq", "fun": lambda x: x[:classes].sum() - 1},
        {"type": "ineq", "fun": lambda x: x[classes:] - confidences * (1 - x[:classes] @ values)},
    ]
    bounds = [(1e-12, 1)] * classes + [(0, None)] * rules
    start = np.concatenate([p, np.ones(rules) * 3])
    found = minimize(loss, start, bounds=bounds, constraints=constraints, options={"ftol": 1e-15, "maxiter": 500})
    log_q = distillation.rule_posterior(logits[None], values[None], confidences, strength)
    np.testing.assert_allclose(np.exp(log_q[0]), found.x[:classes], atol=1e-6)
    np.testing.assert_allclose(confidences * (1 - np.exp(log_q[0]) @ values), found.x[classes:], atol=1e-6)


def test_absent_rules_say_nothing_and_certain_ones_forbid():
    logits = jnp.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    values = jnp.array([[[1.0], [1.0], [0.0]]] * 2)
    log_q = distillation.rule_posterior(logits, values, jnp.inf, 1.0, mask=jnp.array([[[True]], [[False]]]))
    np.testing.assert_allclose(jnp.exp(log_q[0]), [*softmax([1.0, 2.0]), 0], atol=1e-6)
    np.testing.assert_allclose(jnp.exp(log_q[1]), softmax([1.0, 2.0, 3.0]), atol=1e-6)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"rule_values has shape \(2, 4, 1\) for logits of shape \(2, 3\); give it"):
        distillation.rule_posterior(jnp.zeros((2, 3)), jnp.zeros((2, 4, 1)), jnp.ones(1), 1.0)


@pytest.mark.slow
def test_labels_unlearn_a_false_rule_and_keep_a_true_one():
    """Both begin at confidence 1/2; the labels are drawn so that one rule always holds and the other never."""
    batch, classes = 64, 4
    keys = jax.random.split(jax.random.key(0))
    labels = jax.random.randint(keys[0], (batch,), 0, classes)
    logits = jax.random.normal(keys[1], (batch, classes))
    right = jax.nn.one_hot(labels, classes)
    values = jnp.stack([right, jnp.roll(right, 1, axis=1)], axis=-1)  # true, planted false

    def loss(confidences):
        log_q = distillation.rule_posterior(logits, values, confidences, 2.0)
        return jnp.mean(distillation.imitation(log_q, labels, right, 0.0))

    optimizer = optax.chain(optax.sgd(0.1), optax.keep_params_nonnegative())
    confidences = jnp.full(2, 0.5)
    state = optimizer.init(confidences)
    for _ in range(100):
        updates, state = optimizer.update(jax.grad(loss)(confidences), state, confidences)
        confidences = optax.apply_updates(confidences, updates)
    assert confidences[1] < 0.1
    assert confidences[0] > 0.5


def test_imitation_is_least_at_the_mixture_of_label_and_teacher(x64):
    """The cross-entropy to (1 - pi) onehot + pi q has its least value, that mixture's entropy, at the mixture."""
    labels, q, pi = np.array([2, 0]), softmax(RNG.normal(size=(2, 3)), axis=1), np.array([0.3, 1.0])
    mixture = (1 - pi)[:, None] * np.eye(3)[labels] + pi[:, None] * q
    loss = distillation.imitation(jnp.log(mixture), labels, q, pi)
    np.testing.assert_allclose(loss, -(mixture * np.log(mixture)).sum(1), rtol=1e-12)
    gradient = jax.grad(lambda z: distillation.imitation(z, labels, q, pi).sum())(jnp.log(mixture))
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_no_gradient_reaches_the_teacher():
    z, teacher = jnp.array([[1.0, 2.0]]), jnp.array([[0.3, 0.7]])
    gradient = jax.grad(lambda q: distillation.imitation(z, jnp.array([0]), q, 0.5).sum())(teacher)
    np.testing.assert_array_equal(gradient, np.zeros((1, 2)))


def test_the_schedule_starts_with_the_labels_and_ends_at_pi_0():
    np.testing.assert_allclose(distillation.imitation_schedule(jnp.arange(3), 0.9, 0.8), [0, 0.2, 0.36], rtol=1e-6)
    np.testing.assert_allclose(distillation.imitation_schedule(1000, 0.9, 0.8), 0.9, rtol=1e-6)
