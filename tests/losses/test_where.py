"""Losses over a set of which some is padding are those of the set alone, and padding has no gradient, NaN or not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses import hmm, mixture, penalties, posterior_regularization, ppca, variational

KEY = jax.random.key(0)
WHERE = np.array([True, False, True, True, False, True])
RNG = np.random.default_rng(0)
CHAIN = np.log([0.4, 0.6]), np.log([[0.3, 0.7], [0.8, 0.2]])


def normal(*shape):
    return RNG.normal(size=(len(WHERE), *shape))


def of_draws_last(log_weights, where=None):
    return variational.iwae(log_weights.T, axis=1, where=where)


def weights(f, where=None):
    return posterior_regularization.importance_weights(f, 2.0, where=where).weights


def effective_sample_size(f, where=None):
    return posterior_regularization.importance_weights(f, 2.0, where=where).effective_sample_size


def reward(f_model, where=None):
    return posterior_regularization.irl(np.ones(3), f_model, 2.0, where=where)


def chain(emission, where=None):
    return hmm.m_step(*CHAIN, emission, where=where)


def components(x, where=None):
    model = ppca.fit(x, latent_size=1, where=where)
    return model.mean, model.weights @ model.weights.T, model.noise_variance


def of_regularization(name):
    return functools.partial(getattr(posterior_regularization, name), alpha=2.0)


# name -> a loss, arrays whose first axis is the set, and whether it returns a number for each of the set
LOSSES = {
    "iwae": (variational.iwae, [normal(3)], False),
    "iwae, draws last": (of_draws_last, [normal(3)], False),
    "free bits": (functools.partial(variational.free_bits, minimum=0.5), [normal(2) ** 2], True),
    "posterior": (of_regularization("posterior"), [normal(), normal()], True),
    "importance weights": (weights, [normal()], True),
    "effective sample size": (effective_sample_size, [normal()], False),
    "log partition": (of_regularization("log_partition"), [normal(), normal()], False),
    "objective": (of_regularization("objective"), [normal(), normal(), normal()], False),
    "m-step": (posterior_regularization.m_step, [normal(), normal() ** 2], False),
    "score function": (of_regularization("score_function"), [normal(), normal()], True),
    "irl": (reward, [normal()], False),
    "mixture of Gaussians": (mixture.gaussian_m_step, [normal(2), normal(3) ** 2], False),
    "mixture of categoricals": (
        functools.partial(mixture.categorical_m_step, levels=4, pseudo_count=0.1),
        [RNG.integers(0, 4, (len(WHERE), 2)), normal(3) ** 2],
        False,
    ),
    "hidden Markov model": (chain, [normal(5, 2)], False),
    "principal components": (components, [normal(3)], False),
}


def spoiled(x):
    """Padding made NaN, and of integers a number out of range."""
    x = x.copy()
    x[~WHERE] = np.nan if x.dtype == float else 99
    return x


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_loss_with_where_is_that_of_the_subset_and_padding_has_no_gradient(name, x64):
    loss, arrays, each = LOSSES[name]
    per_draw = {"iwae": WHERE[:, None]}.get(name, WHERE)
    floats = [i for i, x in enumerate(arrays) if x.dtype == float]

    def rise(value):
        return jax.tree.map(lambda x: jnp.cos(jnp.arange(x.size)).reshape(x.shape), value)

    def rise_of_all(value):
        return jax.tree.map(lambda x: jnp.zeros_like(x).at[WHERE].set(rise(x[WHERE])), value) if each else rise(value)

    def run(function, arrays, rise):
        def of_floats(*some):
            given = [*arrays]
            for i, x in zip(floats, some, strict=True):
                given[i] = x
            return function(*given)

        def with_gradient(*some):
            value, back = jax.vjp(of_floats, *some)
            return value, back(rise(value))

        return jax.jit(with_gradient)(*(arrays[i] for i in floats))

    found, gradient = run(functools.partial(loss, where=per_draw), [spoiled(x) for x in arrays], rise_of_all)
    expected, gradient_of_subset = run(loss, [x[WHERE] for x in arrays], rise)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a[WHERE] if each else a, b, rtol=1e-9, atol=1e-12)
    for a, b in zip(gradient, gradient_of_subset, strict=True):
        np.testing.assert_allclose(a[WHERE], b, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(a[~WHERE], 0)


def test_penalties_of_the_largest_and_of_the_mean_look_at_no_padding(x64):
    """The points and the projections are random, so the subset's truth is taken from penalties of each example."""
    real, fake, w = normal(3), normal(3), normal(2)
    kernel = RNG.normal(size=3)

    def critic(kernel, x):
        return jnp.sum(jnp.sin(kernel * x), -1)

    def largest(kernel, real):
        return penalties.max_gradient_penalty(functools.partial(critic, kernel), real, fake, KEY, where=WHERE)

    each = penalties.gradient_penalty(functools.partial(critic, kernel), real, fake, KEY, target=0.0)
    value, (of_kernel, of_real) = jax.value_and_grad(largest, (0, 1))(kernel, spoiled(real))
    np.testing.assert_allclose(value, np.max(each[WHERE]))
    assert np.isfinite(of_kernel).all()
    np.testing.assert_array_equal(of_real[~WHERE], 0)

    def paths(kernel, w, **settings):
        draw = lambda w: jnp.sin(w @ kernel).reshape(-1, 2, 2, 1)  # noqa: E731
        return penalties.path_length(draw, w, KEY, **settings)

    kernel = RNG.normal(size=(2, 4))
    lengths = np.sqrt(paths(kernel, w, mean=0.0, decay=0.0)[0])
    padded = functools.partial(paths, mean=0.5, decay=0.1, where=WHERE)
    penalty, mean = padded(kernel, spoiled(w))
    np.testing.assert_allclose(mean, 0.9 * 0.5 + 0.1 * lengths[WHERE].mean())
    np.testing.assert_allclose(penalty, np.where(WHERE, (lengths - mean) ** 2, 0.0), atol=1e-12)
    of_kernel, of_w = jax.grad(lambda *given: jnp.sum(padded(*given)[0]), (0, 1))(kernel, spoiled(w))
    assert np.isfinite(of_kernel).all()
    np.testing.assert_array_equal(of_w[~WHERE], 0)
