"""Weights that are schedules: at every step a method is what it would be with the number of that step."""

import chex
import jax
import methods_table as table
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.layers.vector_quantizer import VectorQuantizer
from jaxgen.likelihoods import bernoulli
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors, regularizers
from jaxgen.methods.adversarial.acgan import acgan
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.infogan import category, infogan, interval
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.methods.adversarial.ppo import ppo
from jaxgen.methods.knowledge.controlled import controlled
from jaxgen.methods.knowledge.distillation import rule_distillation
from jaxgen.methods.knowledge.posterior_regularization import Constraint, steer, teach
from jaxgen.methods.latent.autoencoder import autoencoder
from jaxgen.methods.latent.hierarchical import hierarchical_vae
from jaxgen.methods.latent.perceptual import vae_gan
from jaxgen.methods.latent.vae import vae
from jaxgen.methods.latent.vq_vae import vq_vae
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


def tabled(row, build):
    """A row of the table of methods, of another weight."""
    data = table.TABLE[row].data()
    return build, jax.tree.map(lambda x: x[:8], data)


def twins(weight):
    critic = table.answering({"label": 2, "twin": 2})
    settings = {"prior": priors.normal(3), "classes": 2, "twin": True, "weight": weight}
    return acgan(table.tiny(4, 4, 1), critic, adversarial.hinge, **settings)


def informed(weight):
    codes = [category("bit", 2), interval("number", weight)]
    nets = table.tiny(4, 4, 1), table.answering({"bit": 2, "number": 2})
    return infogan(*nets, adversarial.hinge, noise=priors.normal(2), codes=codes)


def judged(weight):
    nets = table.tiny(2, heads=2), table.tiny(4, 4, 1), table.tiny(heads=2)
    return vae_gan(*nets, adversarial.hinge, latent_size=2, gamma=weight)


def told(**weights):
    nets = table.tiny(2, heads=2), table.make(table.Worded()), table.make(table.Told())
    return controlled(*nets, vocabulary=3, classes=(2,), latent_size=2, **weights)


def coded(weight):
    nets = table.tiny(2, 2, 3), Net(VectorQuantizer(4, decay=0.9)), table.tiny(4, 4, 1, 1)
    return vq_vae(*nets, bernoulli, beta=weight)


def stairs(weight):
    return hierarchical_vae(table.make(table.Seen()), table.make(table.Stairs()), bernoulli, free_bits=weight)


LABELLED = {**POINTS, "label": np.array([0, 1, -1, 0, 1, -1, 0, 1], np.int32)}
CASES = {
    "r1": (penalized(regularizers.r1), POINTS),
    "r2": (penalized(regularizers.r2), POINTS),
    "gradient_penalty": (penalized(regularizers.gradient_penalty), POINTS),
    "max_gradient_penalty": (penalized(regularizers.max_gradient_penalty), POINTS),
    "teach": (lambda alpha: teach(encode_decode(), Constraint(alpha, bright), proposals=8), IMAGES),
    "steer": (lambda a: steer(encode_decode(), Constraint(a, bright), through="decoder", proposals=8), IMAGES),
    "rules": (ruled, LABELLED),
    "ac-gan": tabled("acgan", twins),
    "infogan": tabled("infogan", informed),
    "pix2pix": tabled("pix2pix", lambda w: pix2pix(table.tiny(4, 4, 1), table.tiny(), adversarial.hinge, weight=w)),
    "ppo": tabled(
        "ppo", lambda w: ppo(table.tiny(2), table.tiny(), table.world(), environments=8, horizon=5, limit=3, entropy=w)
    ),
    "vq-vae": tabled("vq-vae", coded),
    "vae-gan": tabled("vae-gan", judged),
    "free bits": tabled("ladder", stairs),
    "autoencoder's noise": tabled("autoencoder", lambda w: autoencoder(table.tiny(3), table.tiny(4, 4, 1), noise=w)),
    "dreams": tabled("controlled text", lambda w: told(dreams=w)),
    "dreams' entropy": tabled("controlled text", lambda w: told(entropy=w)),
}


@pytest.mark.quick("gradient_penalty", "pix2pix")
@pytest.mark.parametrize("name", CASES)
def test_a_weight_may_be_a_schedule_of_the_step(name):
    build, batch = CASES[name]
    state = jax.jit(lambda: init_state(build(1.0), KEY, batch))()

    def losses(weight):
        own = build(weight)

        @jax.jit
        def at(step):
            view = view_of(own, state.replace(step=state.step + step))
            return [phase.loss(phase.counted(view, batch), batch, KEY)[0] for phase in own.phases]

        return at

    scheduled, one = losses(optax.linear_schedule(0.0, 3.0, 6)), losses(1.0)
    found = [scheduled(step) for step in (0, 2, 6)]
    chex.assert_trees_all_close(found, [losses(0.0)(0), one(2), losses(3.0)(6)], rtol=1e-6)
    assert max(abs(a - b) for a, b in zip(found[2], one(6), strict=True)) > 1e-5  # it matters
