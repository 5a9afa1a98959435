"""Weights that are schedules: at every step a method is what it would be with the number of that step."""

import chex
import jax
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.likelihoods import bernoulli
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors, regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.knowledge.distillation import rule_distillation
from jaxgen.methods.knowledge.posterior_regularization import Constraint, steer, teach
from jaxgen.methods.latent.vae import vae
from jaxgen.models.knowledge.confidences import Confidences
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.training.step import init_state

KEY, SGD = jax.random.key(0), optax.sgd(0.1)
IMAGES = {"image": (np.random.default_rng(0).uniform(size=(8, 2, 2, 1)) > 0.5).astype(np.float32)}
POINTS = {"x": np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)}


def encode_decode():
    from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder

    nets = Net(MLPEncoder(2, (4,)), SGD), Net(MLPDecoder((2, 2, 1), (4,)), SGD)
    return vae(*nets, bernoulli, latent_size=2)


def penalized(make):
    def build(weight):
        nets = Net(MLP(2, (4,)), SGD), Net(MLPCritic(hidden=(4,)), SGD)
        regularizer = {"critic_regularizers": [make(weight)]}
        return gan(*nets, adversarial.hinge, prior=priors.normal(2), field="x", **regularizer)

    return build


def bright(x):
    return x.mean((1, 2, 3))


def ruled(weight):
    import flax.linen as nn

    class Student(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(x)

    def rules(predict, batch):
        return (batch["x"] > 0)[..., None].astype(np.float32), True

    return rule_distillation(
        Net(Student(), SGD), Net(Confidences([1.0])), rules, inputs="x", strength=weight, pi_0=0.5, alpha=0.9
    )


LABELLED = {**POINTS, "label": np.array([0, 1, -1, 0, 1, -1, 0, 1], np.int32)}
CASES = {
    "r1": (penalized(regularizers.r1), POINTS),
    "r2": (penalized(regularizers.r2), POINTS),
    "gradient_penalty": (penalized(regularizers.gradient_penalty), POINTS),
    "max_gradient_penalty": (penalized(regularizers.max_gradient_penalty), POINTS),
    "teach": (lambda alpha: teach(encode_decode(), Constraint(alpha, bright), proposals=8), IMAGES),
    "steer": (lambda a: steer(encode_decode(), Constraint(a, bright), through="decoder", proposals=8), IMAGES),
    "rules": (ruled, LABELLED),
}


@pytest.mark.quick("*gradient_penalty", "r2", "steer")
@pytest.mark.parametrize("name", CASES)
def test_a_weight_may_be_a_schedule_of_the_step(name):
    build, batch = CASES[name]

    def loss(weight, step):
        own = build(weight)
        state = init_state(own, KEY, batch)
        view = view_of(own, state.replace(step=state.step + step))
        phase = own.phases[0]
        return phase.loss(phase.counted(view, batch), batch, KEY)[0]

    schedule = optax.linear_schedule(0.0, 3.0, 6)
    found = [loss(schedule, step) for step in (0, 2, 6)]
    chex.assert_trees_all_close(
        found, [loss(weight, step) for weight, step in ((0.0, 0), (1.0, 2), (3.0, 6))], rtol=1e-6
    )
    assert abs(found[2] - loss(1.0, 6)) > 1e-5  # it matters
