"""What an auxiliary classifier does to classes that overlap, and what its twin takes back."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy.stats import norm

from jaxgen.core import Net, view_of
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.acgan import acgan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
X = np.linspace(-3.5, 3.5, 71)
MEANS, STD = np.array([-1.0, 0.0, 1.0]), 0.5
TRUTH = norm.pdf(X[:, None], MEANS, STD)
TRUTH /= TRUTH.sum(0)  # p(x | c), [points, classes]


def fixed_point(twin):
    """The classes a generator of free densities ends with, critic and classifiers being the best of every moment."""
    marginal, posterior = TRUTH.mean(1), TRUTH / TRUTH.sum(1, keepdims=True)

    def objective(logits):
        q = jax.nn.softmax(logits, 0)
        value = 2 * adversarial.jensen_shannon(marginal, q.mean(1)) - jnp.mean(jnp.sum(q * jnp.log(posterior), 0))
        if twin:
            value += jnp.mean(jnp.sum(q * jnp.log(q / q.sum(1, keepdims=True)), 0))
        return value

    adam = optax.adam(0.05)

    def step(carry, _):
        logits, moments = carry
        updates, moments = adam.update(jax.grad(objective)(logits), moments)
        return (optax.apply_updates(logits, updates), moments), None

    start = jnp.log(jnp.asarray(TRUTH))
    (logits, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, None, 1500))((start, adam.init(start)))
    return np.asarray(jax.nn.softmax(logits, 0))


def spreads(q):
    means = X @ q
    return np.sqrt((X**2) @ q - means**2), means


def test_an_auxiliary_classifier_narrows_overlapping_classes_and_its_twin_does_not(x64):
    truth, means = spreads(TRUTH)
    narrow, apart = spreads(fixed_point(twin=False))
    assert narrow[1] < 0.8 * truth[1]  # the class in the middle, where both neighbours overlap it
    assert apart[2] - apart[0] > means[2] - means[0]
    remedied, there = spreads(fixed_point(twin=True))
    np.testing.assert_allclose(remedied, truth, rtol=0.02)
    np.testing.assert_allclose(there, means, atol=0.02)


class Shift(nn.Module):
    """z and the label's own number."""

    @nn.compact
    def __call__(self, z, label):
        return z + self.param("shift", nn.initializers.zeros, (3,))[label][:, None]


class Critic(nn.Module):
    """A line as score and two tables of lines as classifiers."""

    @nn.compact
    def __call__(self, x):
        heads = {name: nn.Dense(3, name=name)(x) for name in ("label", "twin")}
        return nn.Dense(1, name="score")(x)[:, 0], heads


BATCH = {"image": jax.random.normal(KEY, (64, 1)), "label": jnp.arange(64) % 3}


def gradients(method, phase, shift=0.0):
    state = init_state(method, KEY, BATCH)
    params = {name: net.params for name, net in state.nets.items()}
    params["generator"] = {"shift": jnp.arange(3.0) * shift}
    (found,) = (p for p in method.phases if p.name == phase)
    view = view_of(method, state)

    def loss(params):
        from dataclasses import replace

        return found.loss(replace(view, params=params), BATCH, KEY)[0]

    return jax.jit(jax.grad(loss))(params)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "twin"])
def method(request):
    sgd = optax.sgd(0.1)
    return acgan(
        Net(Shift(), sgd), Net(Critic(), sgd), adversarial.hinge, prior=normal(1), classes=3, twin=request.param
    )


@pytest.mark.quick("twin")
def test_the_classifier_learns_from_real_examples_alone_and_the_twin_from_generated_ones(method):
    """Other samples change the twin's lesson, and nothing of the classifier's."""
    one, other = (gradients(method, "critic", shift)["critic"] for shift in (0.0, 5.0))
    np.testing.assert_array_equal(one["label"]["kernel"], other["label"]["kernel"])
    assert np.abs(one["label"]["kernel"]).max() > 0
    twins = np.abs(one["twin"]["kernel"] - other["twin"]["kernel"]).max()
    assert (twins > 1e-3) == (method.name == "TAC-GAN")


def test_a_classifier_is_judged_on_real_examples_and_never_on_samples_made_to_please_it(method):
    """Samples that all are what it says they are, at 100 %, leave its figure where held-out labels have it."""
    view = view_of(method, jax.jit(lambda: init_state(method, KEY, BATCH))())
    table = {"kernel": jnp.array([[-4.0, 0.0, 4.0]]), "bias": jnp.zeros(3)}
    params = {
        "generator": {"shift": jnp.array([-99.0, 0.0, 99.0])},
        "critic": {**view.params["critic"], "label": table},
    }
    found = method.evaluate(dataclasses.replace(view, params=params), BATCH, KEY)["class_accuracy"]
    said = np.where(np.asarray(BATCH["image"][:, 0]) > 0, 2, 0)
    np.testing.assert_array_equal(found, said == np.asarray(BATCH["label"]))


@pytest.mark.slow
def test_the_generator_is_paid_by_the_one_and_pays_the_other(method):
    """Of the classifiers' weights the generator's loss wants the opposite."""
    found = gradients(method, "generator", 1.0)["critic"]
    assert np.abs(found["label"]["bias"]).max() > 0
    assert bool(np.abs(found["twin"]["bias"]).max() > 0) == (method.name == "TAC-GAN")
    critic = gradients(method, "critic", 1.0)["critic"]
    if method.name == "TAC-GAN":  # the same samples, seen with the other sign: to lowest order in the noise
        assert float(jnp.vdot(found["twin"]["kernel"], critic["twin"]["kernel"])) < 0
