"""Growth: a network of one stage more begins as the smaller one, to the bit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.layers.fade import blended
from jaxgen.layers.resample import enlarge, mean_pool
from jaxgen.models.adversarial.progan import Critic, Generator

KEY = jax.random.key(0)
FEATURES = (8, 6, 4)
Z = jax.random.normal(KEY, (4, 5))
IMAGES = jax.random.uniform(jax.random.key(1), (4, 16, 16, 2), minval=-1)


def at(variables, alpha):
    """The variables of a network whose newest layers weigh alpha."""
    return {**variables, "fade": {"alpha": jnp.asarray(alpha)}}


@pytest.fixture(scope="module")
def grown():
    """The networks of two stages and of three, and parameters of the larger with those that only the smaller has."""

    def networks(kind, given, larger, **settings):
        small, large = (kind(FEATURES[:n], **settings) for n in (2, 3))
        of_small, of_large = jax.jit(small.init)(KEY, given), jax.jit(large.init)(KEY, larger)
        return small, large, {"params": {**of_small["params"], **of_large["params"]}}

    return (*networks(Generator, Z, Z, channels=2), *networks(Critic, IMAGES[:, :8, :8], IMAGES, group=2))


@pytest.mark.slow
def test_the_grown_generator_begins_as_the_old_one_enlarged(grown):
    small, large, params, *_ = grown
    before, after = (jax.jit(network.apply) for network in (small, large))
    np.testing.assert_allclose(after(at(params, 0.0), Z), enlarge(before(at(params, 1.0), Z)), atol=1e-6)
    with jax.disable_jit():
        np.testing.assert_array_equal(large.apply(at(params, 0.0), Z), enlarge(small.apply(at(params, 1.0), Z)))
    assert np.abs(after(at(params, 0.5), Z) - after(at(params, 0.0), Z)).max() > 1e-2


@pytest.mark.slow
def test_the_grown_critic_begins_as_the_old_one_of_the_halved_image(grown):
    *_, small, large, params = grown
    before, after = (jax.jit(network.apply) for network in (small, large))
    np.testing.assert_allclose(after(at(params, 0.0), IMAGES), before(at(params, 1.0), mean_pool(IMAGES)), atol=1e-6)
    with jax.disable_jit():
        np.testing.assert_array_equal(
            large.apply(at(params, 0.0), IMAGES), small.apply(at(params, 1.0), mean_pool(IMAGES))
        )


@pytest.mark.slow
def test_in_the_end_the_old_image_s_layers_have_no_part(grown):
    _, generator, of_generator, _, critic, of_critic = grown
    gradients = jax.jit(
        jax.grad(lambda p, q, a: generator.apply(at(p, a), Z).var() + critic.apply(at(q, a), IMAGES).var(), (0, 1))
    )
    for alpha, still in ((1.0, True), (0.5, False)):
        for tree in gradients(of_generator, of_critic, alpha):
            old = tree["params"]["rgb_8"]["kernel"]
            assert bool((old == 0).all()) == still
            assert np.abs(tree["params"]["rgb_16"]["kernel"]).max() > 0


def test_the_larger_network_has_the_smaller_one_s_parameters_but_for_what_has_faded_out(grown):
    small, large, _, small_critic, large_critic, _ = grown
    for smaller, larger, given in ((small, large, (Z, Z)), (small_critic, large_critic, (IMAGES[:, :8, :8], IMAGES))):
        before, after = (
            jax.tree.map(jnp.shape, jax.eval_shape(network.init, KEY, x)["params"])
            for network, x in zip((smaller, larger), given, strict=True)
        )
        assert set(before) - set(after) == {"rgb_4"}
        assert {name: after[name] for name in before if name != "rgb_4"} == {
            name: shapes for name, shapes in before.items() if name != "rgb_4"
        }


def test_alpha_is_no_constant_of_the_program(grown):
    _, generator, params, *_ = grown
    traces = []

    @jax.jit
    def generate(alpha):
        traces.append(1)
        return generator.apply(at(params, alpha), Z)

    for alpha in (0.1, 0.2, 0.9):
        generate(alpha)
    assert len(traces) == 1


def test_real_images_fade_as_generated_ones_do():
    np.testing.assert_array_equal(blended(IMAGES, 1.0), IMAGES)
    np.testing.assert_array_equal(blended(IMAGES, 0.0), enlarge(mean_pool(IMAGES)))
    np.testing.assert_allclose(blended(IMAGES, 0.25), 0.75 * enlarge(mean_pool(IMAGES)) + 0.25 * IMAGES, atol=1e-6)


def test_the_critic_sees_how_much_its_group_varies(grown):
    *_, critic, params = grown
    score = jax.jit(functools.partial(critic.apply, at(params, 1.0)))
    other = IMAGES.at[1].set(-IMAGES[1])
    assert np.abs(score(other) - score(IMAGES))[0] > 1e-5  # of the same group of two
    np.testing.assert_allclose(score(other)[2:], score(IMAGES)[2:], atol=1e-6)
