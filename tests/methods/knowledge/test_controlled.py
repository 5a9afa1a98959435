"""Controlled text: its losses by hand, whom their gradients reach, and a code that comes to mean what is planted."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special, stats

from jaxgen.core import Net, view_of
from jaxgen.methods.knowledge.controlled import controlled
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 5, (64, 3)).astype(np.int32)
TOLD = RNG.integers(0, 2, (64, 1)).astype(np.int32)
BATCH = {"tokens": jnp.asarray(TOKENS), "attributes": jnp.asarray(TOLD)}


class Standard(nn.Module):
    """q(z|x): its mean by a product, its variance a quarter."""

    @nn.compact
    def __call__(self, x):
        mean = nn.Dense(2)(x.reshape(len(x), -1))
        return mean, jnp.full_like(mean, -2 * jnp.log(2.0))


class Written(nn.Module):
    """Logits that are linear in z and the code."""

    @nn.compact
    def __call__(self, z, code):
        return nn.Dense(15)(jnp.concatenate([z, code], axis=-1)).reshape(-1, 3, 5)


class First(nn.Module):
    """Class 1 as surely as the first symbol is 0 or 1, times a weight."""

    @nn.compact
    def __call__(self, x):
        weight = self.param("weight", nn.initializers.constant(4.0), ())
        score = weight * (2 * (x[:, 0, 0] + x[:, 0, 1]) - 1)
        return (jnp.stack([jnp.zeros_like(score), score], axis=-1),)


def made(**settings):
    nets = (Net(module, optax.adam(0.05)) for module in (Standard(), Written(), First()))
    settings = {"attribute": 0.0, "independence": 0.0} | settings
    method = controlled(*nets, vocabulary=5, classes=(2,), latent_size=2, **settings)
    return method, init_state(method, KEY, BATCH)


def value(settings, batch=BATCH):
    method, state = made(**settings)
    view, loss = view_of(method, state), method.phases[0].loss
    of_params = jax.value_and_grad(lambda params: loss(dataclasses.replace(view, params=params), batch, KEY)[0])
    return jax.jit(of_params)(view.params)


def test_the_bound_of_a_code_that_is_told_is_the_vae_s():
    method, state = made()
    view = view_of(method, state)
    figures = method.evaluate(view, BATCH, KEY)
    p = jax.tree.map(np.asarray, view.params)
    x = np.eye(5)[TOKENS].reshape(64, 15)
    mean = x @ p["encoder"]["Dense_0"]["kernel"] + p["encoder"]["Dense_0"]["bias"]
    kl = 0.5 * (mean**2 + 1 / 4 - 1 + np.log(4)).sum(1)
    np.testing.assert_allclose(figures["kl_nats"], kl, rtol=1e-4)
    z = mean + np.asarray(jax.random.normal(KEY, mean.shape)) / 2
    dense = p["generator"]["Dense_0"]
    logits = (np.concatenate([z, np.eye(2)[TOLD[:, 0]]], 1) @ dense["kernel"] + dense["bias"]).reshape(64, 3, 5)
    log_p = np.take_along_axis(special.log_softmax(logits, -1), TOKENS[..., None], -1)[..., 0].sum(1)
    np.testing.assert_allclose(figures["nats"], figures["kl_nats"] - log_p, rtol=1e-4)
    right = (TOKENS[:, 0] < 2) == TOLD[:, 0]
    np.testing.assert_array_equal(figures["discriminator_accuracy"], right)


def test_what_is_dreamt_moves_the_generator_and_neither_of_its_judges():
    plain, plain_gradient = value({})
    for name in ("attribute", "independence"):
        total, gradient = value({name: 0.7})
        assert total > plain + 0.01  # both are negative log-probabilities
        np.testing.assert_array_equal(*(g["encoder"]["Dense_0"]["kernel"] for g in (gradient, plain_gradient)))
        difference = [g["generator"]["Dense_0"]["kernel"] for g in (gradient, plain_gradient)]
        assert np.abs(np.subtract(*difference)).max() > 1e-3
    method, _ = made()
    assert [phase.trains for phase in method.phases] == [("encoder", "generator"), ("discriminator",)]


def test_what_is_asked_of_samples_is_what_soft_ones_say():
    """Equations 6 and 7 with the very draws, by hand."""
    method, state = made(attribute=1.0, independence=1.0, temperature=0.5)
    view = view_of(method, state)
    metrics = method.phases[0].loss(view, BATCH, KEY)[1].metrics
    keys = jax.random.split(KEY, 5)
    z = np.asarray(jax.random.normal(keys[3], (64, 2)))
    code = np.asarray(jax.random.randint(keys[4], (64, 1), 0, 2))
    p = jax.tree.map(np.asarray, view.params)
    dense = p["generator"]["Dense_0"]
    logits = (np.concatenate([z, np.eye(2)[code[:, 0]]], 1) @ dense["kernel"] + dense["bias"]).reshape(64, 3, 5)
    soft = special.softmax(logits / 0.5, -1)
    score = 4 * (2 * soft[:, 0, :2].sum(-1) - 1)
    np.testing.assert_allclose(
        metrics["attribute"], np.log1p(np.exp(np.where(code[:, 0], -score, score))).mean(), rtol=1e-4
    )
    mean = soft.reshape(64, 15) @ p["encoder"]["Dense_0"]["kernel"] + p["encoder"]["Dense_0"]["bias"]
    np.testing.assert_allclose(metrics["z"], -stats.norm.logpdf(z, mean, 1 / 2).sum(1).mean(), rtol=1e-4)


def test_discriminators_learn_from_what_is_labelled_and_from_dreams_and_are_to_be_sure():
    half = {**BATCH, "attributes": jnp.asarray(np.where(np.arange(64)[:, None] % 2, TOLD, -1))}
    method, state = made(dreams=0.3, entropy=0.5)
    view = view_of(method, state)
    total, aux = method.phases[1].loss(view, half, KEY)
    score = 4 * (2 * (TOKENS[1::2, 0] < 2) - 1)
    by_hand = np.log1p(np.exp(np.where(TOLD[1::2, 0], -score, score))).mean()
    np.testing.assert_allclose(aux.metrics["supervised"], by_hand, rtol=1e-5)
    sure = special.entr(special.softmax([0, 4])).sum()  # whatever is written, it is as sure as that
    expected = by_hand + 0.3 * (float(aux.metrics["dreams"]) + 0.5 * sure)
    np.testing.assert_allclose(total, expected, rtol=1e-5)


def test_codes_that_are_not_told_are_the_discriminators_draws():
    unknown = {**BATCH, "attributes": jnp.full((64, 1), -1)}
    method, state = made()
    view = view_of(method, state)
    said = np.where(TOKENS[:, :1] < 2, 1, 0)
    surely = {**view.params, "discriminator": {"weight": jnp.array(50.0)}}
    view = dataclasses.replace(view, params=surely)
    loss = method.phases[0].loss
    same = loss(view, {**BATCH, "attributes": jnp.asarray(said)}, KEY)[0]
    np.testing.assert_allclose(loss(view, unknown, KEY)[0], same, rtol=1e-6)
    assert abs(float(loss(view, {**BATCH, "attributes": jnp.asarray(1 - said)}, KEY)[0] - same)) > 1e-3


@pytest.mark.parametrize(("weight", "low", "high"), [(1.0, 0.95, 1.0), (0.0, 0.0, 0.8)])
def test_a_code_comes_to_mean_what_the_discriminator_planted_says(weight, low, high):
    """Sentences without labels, of which the discriminator alone knows: by the bound alone the code means less."""
    method, state = made(attribute=weight)
    loss = method.phases[0].loss
    view = view_of(method, state)
    optimizer = optax.adam(0.05)
    trained = {name: view.params[name] for name in ("encoder", "generator")}
    random = {"tokens": BATCH["tokens"], "attributes": jnp.asarray(RNG.integers(0, 2, (64, 1)))}

    def step(carry, key):
        params, state = carry

        def objective(params):
            return loss(dataclasses.replace(view, params={**view.params, **params}), random, key)[0]

        updates, state = optimizer.update(jax.grad(objective)(params), state)
        return (optax.apply_updates(params, updates), state), None

    keys = jax.random.split(KEY, 150)
    (params, _), _ = jax.jit(lambda p: jax.lax.scan(step, (p, optimizer.init(p)), keys))(trained)
    view = dataclasses.replace(view, params={**view.params, **params})
    latents = method.latents.prior(jax.random.key(1), 400, None)
    written = np.asarray(method.latents.decode(view, latents, KEY))
    accuracy = np.mean((written[:, 0] < 2) == latents["code"][:, 0])
    assert low <= accuracy <= high
