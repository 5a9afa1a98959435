"""Which argument of a loss hears of it, by its gradient, and which is taken as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses import distillation, penalties
from jaxgen.losses import posterior_regularization as pr

RNG = np.random.default_rng(0)
LOGITS, F, LABELS = RNG.normal(size=(4, 3)), RNG.normal(size=(4,)), np.array([0, 2, 1, 1])
PROBABILITIES = RNG.dirichlet(np.ones(3), size=4)
CONFIDENCES = np.array([0.5, 2.0])
VALUES = RNG.uniform(size=(4, 3, 2))
IMAGES = RNG.normal(size=(4, 2, 2, 1))
KEY = jax.random.key(0)


def critic(x):
    return jnp.sum(x**3, (1, 2, 3))


# name -> (the loss, its floating arguments, how many of them, from the first, hear of it)
LOSSES = {
    "imitation": (lambda z, pi, q: distillation.imitation(z, LABELS, q, pi), (LOGITS, 0.3, PROBABILITIES), 2),
    "rule_posterior": (
        lambda z, c, s: distillation.rule_posterior(z, VALUES, c, s)[:, 0], (LOGITS, CONFIDENCES, 1.5), 3
    ),
    "posterior": (lambda p, f, a: pr.posterior(p, f, a)[:, 0], (LOGITS, LOGITS[::-1], 0.7), 3),
    "objective": (pr.objective, (jax.nn.log_softmax(LOGITS[::-1]), LOGITS, LOGITS[::-1] ** 2, 0.7), 4),
    "m_step": (pr.m_step, (LOGITS, PROBABILITIES), 1),
    "implicit_m_step": (pr.implicit_m_step, (F, 0.7), 2),
    "score_function": (lambda p, f: pr.score_function(f, p, 0.7), (F, F**2), 1),
    "irl": (lambda data, model, p: pr.irl(data, model, 0.7, log_p=p), (F, F**2, F[::-1]), 2),
    "gradient_penalty": (
        lambda real, fake: penalties.gradient_penalty(critic, real, fake, KEY), (IMAGES, IMAGES[::-1]), 1
    ),
    "max_gradient_penalty": (
        lambda real, fake: penalties.max_gradient_penalty(critic, real, fake, KEY), (IMAGES, IMAGES[::-1]), 1
    ),
    "r1": (lambda real: penalties.r1(critic, real), (IMAGES,), 1),
    "mode_seeking": (penalties.mode_seeking, (IMAGES, IMAGES**2, IMAGES[::-1], IMAGES[::-1] ** 2 + 1), 4),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_who_hears_of_a_loss(x64, name):
    loss, arguments, hearing = LOSSES[name]
    weights = RNG.normal(size=4)
    total = jax.jit(jax.grad(lambda *args: jnp.sum(weights * loss(*args)), tuple(range(len(arguments)))))
    gradients = total(*map(jnp.asarray, arguments))
    assert [bool(jnp.any(gradient != 0)) for gradient in gradients] == [i < hearing for i in range(len(arguments))]
