"""Feature distances of linear networks in closed form, and whose gradients reach whom."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, View
from jaxgen.losses import adversarial
from jaxgen.methods.latent.perceptual import perceptual_vae, vae_gan
from jaxgen.models.latent.linear import LinearEncoder

SGD, RNG = optax.sgd(0.1), np.random.default_rng(0)
X, ENCODE, DECODE, SEE = (RNG.normal(size=shape) for shape in ((4, 3), (3, 2), (2, 3), (3, 5)))
LOG_VARIANCE = np.array([-0.3, 0.4])
SHARED = {
    "encoder": {"mean": {"kernel": ENCODE, "bias": np.zeros(2)}, "log_variance": LOG_VARIANCE},
    "decoder": {"kernel": DECODE},
}


class Judge(nn.Module):
    """A score and linear features."""

    @nn.compact
    def __call__(self, x):
        features = nn.Dense(5, use_bias=False, name="see")(x)
        return jnp.tanh(nn.Dense(1, use_bias=False, name="score")(features))[:, 0], features


def linear(features):
    return Net(nn.Dense(features, use_bias=False), SGD)


def view_with(method, params):
    nothing = {name: {} for name in params}
    return View(method.nets, jax.tree.map(jnp.asarray, params), nothing, dict.fromkeys(params), jnp.zeros((), int))


def test_the_distance_s_mean_over_z_is_the_closed_form_and_features_get_no_gradient(x64):
    method = perceptual_vae(Net(LinearEncoder(2), SGD), linear(3), Net(nn.Dense(5, use_bias=False)), latent_size=2)
    params = {**SHARED, "features": {"kernel": SEE}}

    @jax.jit
    @jax.vmap
    def drawn(key):
        def loss(params):
            return method.phases[0].loss(view_with(method, params), {"image": X}, key)

        (_, aux), slopes = jax.value_and_grad(loss, has_aux=True)(params)
        return aux.metrics["feature_distance"], slopes["features"]["kernel"]

    distances, slopes = jax.device_get(drawn(jax.random.split(jax.random.key(0), 20_000)))
    through = DECODE @ SEE
    bias = np.square((X @ ENCODE @ DECODE - X) @ SEE).sum(1).mean()
    truth = bias + np.sum(np.square(through) * np.exp(LOG_VARIANCE)[:, None])
    assert distances.mean() == pytest.approx(truth, abs=float(5 * distances.std() / np.sqrt(20_000)))
    assert not slopes.any()


def test_no_adversarial_gradient_reaches_the_encoder_and_the_decoder_hears_of_both(x64):
    params = {**SHARED, "critic": {"see": {"kernel": SEE}, "score": {"kernel": RNG.normal(size=(5, 1))}}}
    nets = Net(LinearEncoder(2), SGD), linear(3), Net(Judge(), SGD)

    def slopes(game, gamma=0.3):
        method = vae_gan(*nets, game, latent_size=2, gamma=gamma)
        key = jax.random.key(0)

        def of(phase):
            def loss(own):
                view = view_with(method, {**params, phase.name: own})
                return phase.loss(view, {"image": X}, key)[0]

            return jax.grad(loss)(jax.tree.map(jnp.asarray, params[phase.name]))

        return jax.jit(lambda: {phase.name: of(phase) for phase in method.phases})()

    hinge, saturating, alone = slopes(adversarial.hinge), slopes(adversarial.minimax), slopes(adversarial.hinge, 0.0)
    for a, b in zip(*(jax.tree.leaves(s["encoder"]) for s in (hinge, saturating)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a).max() > 0.1
    decoder = [s["decoder"]["kernel"] for s in (hinge, saturating, alone)]
    assert np.abs(decoder[0] - decoder[1]).max() > 0.01
    assert np.abs(decoder[0] - decoder[2]).max() > 0.01
    assert jax.tree.all(jax.tree.map(np.array_equal, hinge["critic"], alone["critic"]))  # no reconstruction in its loss


CERTAIN = {**SHARED, "encoder": {**SHARED["encoder"], "log_variance": np.full(2, -60.0)}}
AGAIN = X @ ENCODE @ DECODE


def test_half_of_what_the_game_is_about_are_reconstructions_and_half_samples_of_the_prior(x64):
    """Of samples the scores' mean is 0, an odd function's of what is as often its opposite."""
    score = RNG.normal(size=(5, 1))
    params = {**CERTAIN, "critic": {"see": {"kernel": SEE}, "score": {"kernel": score}}}
    method = vae_gan(Net(LinearEncoder(2), SGD), linear(3), Net(Judge(), SGD), adversarial.hinge, latent_size=2)
    view, batch = view_with(method, params), {"image": np.tile(X, (20_000, 1))}
    losses = jax.jit(lambda: {phase.name: phase.loss(view, batch, jax.random.key(0)) for phase in method.phases})()
    real, again = (np.tanh(x @ SEE @ score).mean() for x in (X, AGAIN))
    assert losses["decoder"][1].metrics["game"] == pytest.approx(-again / 2, abs=0.01)
    assert losses["critic"][0] == pytest.approx((1 - real) + 1 + again / 2, abs=0.01)


def test_pixels_are_judged_beside_a_random_image_s(x64):
    """With a certain z the reconstruction is the product of both maps; a random image's has its spread in it."""
    params = {**CERTAIN, "critic": {"see": {"kernel": SEE}, "score": {"kernel": np.ones((5, 1))}}}
    method = vae_gan(Net(LinearEncoder(2), SGD), linear(3), Net(Judge(), SGD), adversarial.hinge, latent_size=2)
    view, batch = view_with(method, params), {"image": np.tile(X, (5000, 1))}
    found = jax.jit(lambda: method.evaluate(view, batch, jax.random.key(0)))()
    np.testing.assert_allclose(found["reconstruction"][:4], np.linalg.norm(AGAIN - X, axis=1), rtol=1e-9)
    np.testing.assert_allclose(found["feature_distance"][:4], np.square((AGAIN - X) @ SEE).sum(1), rtol=1e-9)
    mean_square = np.square(found["random_reconstruction"]).mean()
    assert mean_square == pytest.approx(np.square(X).sum(1).mean() + np.square(DECODE).sum(), rel=0.03)
