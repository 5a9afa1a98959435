"""Growing networks: at alpha 0 they are the old ones, and what is faded is faded from what it was."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.fitting import fit
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.progressive import blended, doubled, growing, shrunk

IMAGES = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype(np.float32)


class Pictures(nn.Module):
    """z to images: a coarse layer, and at 8x8 a finer one faded in."""

    resolution: int

    @nn.compact
    def __call__(self, z, *, train=False):
        image = nn.Dense(16, name="4x4")(z).reshape(-1, 4, 4, 1)
        if self.resolution == 4:
            return image
        alpha = self.variable("fade", "alpha", jnp.ones, ()).value
        old = doubled(image)
        new = old + nn.Dense(64, name="8x8")(z).reshape(-1, 8, 8, 1)
        return old + alpha * (new - old)


class Judge(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(1)(shrunk(x, 4).reshape(len(x), -1))[:, 0]


def method(resolution, fade_steps, rate=0.1):
    nets = (Net(module, optax.sgd(rate), ema_decay=0.5) for module in (Pictures(resolution), Judge()))
    return growing(gan(*nets, adversarial.non_saturating, prior=priors.normal(2)), resolution, fade_steps=fade_steps)


def test_alpha_is_traced_grows_with_the_stage_s_steps_and_is_kept():
    state, history = fit(method(8, 4), {"image": IMAGES}, steps=6, key=jax.random.key(0), batch_size=4)
    np.testing.assert_allclose(history["generator/alpha"], [0, 0.25, 0.5, 0.75, 1, 1])
    assert state.nets["generator"].variables["fade"]["alpha"] == 1.0
    early, _ = fit(method(8, 4), {"image": IMAGES}, steps=2, key=jax.random.key(0), batch_size=4)
    assert early.nets["generator"].variables["fade"]["alpha"] == 0.25  # what it was last drawn with


def test_at_alpha_0_the_grown_generator_is_the_old_one_enlarged_to_the_bit():
    z = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
    grown = Pictures(8).init(jax.random.key(0), z)
    at_0 = {**grown, "fade": {"alpha": jnp.zeros(())}}
    old = {"params": {"4x4": grown["params"]["4x4"]}}
    with jax.disable_jit():
        np.testing.assert_array_equal(Pictures(8).apply(at_0, z), doubled(Pictures(4).apply(old, z)))
    compiled = jax.jit(Pictures(8).apply)(at_0, z)
    np.testing.assert_allclose(compiled, doubled(Pictures(4).apply(old, z)), atol=1e-6)


def test_the_critic_sees_real_images_blended_as_the_generator_s_are():
    coarse = np.repeat(np.repeat(IMAGES.reshape(8, 4, 2, 4, 2, 1).mean((2, 4)), 2, 1), 2, 2)
    for alpha in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(blended(IMAGES, alpha), (1 - alpha) * coarse + alpha * IMAGES, atol=1e-6)
    np.testing.assert_array_equal(shrunk(IMAGES, 8), IMAGES)
    np.testing.assert_allclose(shrunk(IMAGES, 1)[:, 0, 0, 0], IMAGES.mean((1, 2, 3)), atol=1e-6)


@pytest.mark.slow
def test_the_new_layers_hear_nothing_at_alpha_0_and_the_games_see_the_stage_s_resolution():
    state, _ = fit(method(8, 4), {"image": IMAGES}, steps=1, key=jax.random.key(0), batch_size=4)
    new, _ = fit(method(8, 4, rate=0.0), {"image": IMAGES}, steps=1, key=jax.random.key(0), batch_size=4)
    moved = jax.tree.map(
        lambda a, b: float(np.abs(a - b).max()), state.nets["generator"].params, new.nets["generator"].params
    )
    assert moved["8x8"]["kernel"] == 0.0 < moved["4x4"]["kernel"]
    one = method(4, 0)
    state, _ = fit(one, {"image": IMAGES}, steps=1, key=jax.random.key(0), batch_size=4)
    assert one.sample(view_of(one, state), jax.random.key(0), 3).shape == (3, 4, 4, 1)
