"""What is drawn of latent spaces, where it is known."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jaxgen.core import Net, View
from jaxgen.errors import UserError
from jaxgen.likelihoods import bernoulli, gaussian
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.linear import LinearDecoder, LinearEncoder
from jaxgen.report import latent

SGD, RNG = optax.sgd(0.1), np.random.default_rng(0)


def method(latent_size, likelihood=gaussian):
    nets = Net(LinearEncoder(latent_size), SGD), Net(LinearDecoder((1, 2, 1)), SGD)
    return vae(*nets, likelihood, latent_size=latent_size)


def view_with(method, params):
    nothing = {name: {} for name in params}
    return View(method.nets, params, nothing, dict.fromkeys(params), jnp.zeros((), int))


def test_the_manifold_has_the_prior_s_quantiles_from_left_to_right_and_upwards():
    """A decoder that gives z itself."""
    decoder = {"mean": {"kernel": jnp.eye(2), "bias": jnp.zeros(2)}, "log_variance": jnp.zeros(())}
    drawing = latent.manifold_drawing(method(2), cells=3)
    cells = np.asarray(drawing.compute(view_with(method(2), {"decoder": decoder}))).reshape(3, 3, 2)
    quantiles = stats.norm.ppf([1 / 6, 1 / 2, 5 / 6])
    np.testing.assert_allclose(cells[:, :, 0], np.tile(quantiles, (3, 1)), atol=1e-5)
    np.testing.assert_allclose(cells[:, :, 1], np.tile(-quantiles[:, None], (1, 3)), atol=1e-5)
    assert drawing.draw(cells.reshape(9, 1, 2, 1)).axes
    with pytest.raises(UserError, match="two latent dimensions, which VAE has not"):
        latent.manifold_drawing(method(3, bernoulli))


def test_divergences_by_dimension_are_the_integrals_and_classes_are_probed_on_the_other_half():
    mean, deviation = np.array([0.5, -2.0]), np.array([0.7, 1.2])
    truth = [
        stats.norm(m, s).expect(lambda z, m=m, s=s: stats.norm(m, s).logpdf(z) - stats.norm.logpdf(z))
        for m, s in zip(mean, deviation, strict=True)
    ]
    arrays = jnp.asarray(mean)[None], jnp.asarray(2 * np.log(deviation))[None]
    drawing = latent.kl_drawing(dict, lambda view, batch: arrays)
    np.testing.assert_allclose(drawing.compute(view_with(method(2), {})), truth, rtol=1e-4)
    assert "2 of 2 dimensions" in drawing.draw(np.array(truth)).axes[0].get_title()
    assert drawing.numbers(np.array([2.0, 0.05, 0.2])) == {"dimensions_in_use": 2}

    label = RNG.integers(0, 2, 400)
    apart = RNG.normal(size=(400, 3)) + 8 * label[:, None] * np.array([0, 0, 1])
    assert latent.probe_accuracy(apart, label) > 0.99
    assert latent.probe_accuracy(apart[:, :2], label) < 0.65
    # Noise of more dimensions than examples: the probe learns its own half by heart.
    assert latent.probe_accuracy(RNG.normal(size=(400, 300)), label) < 0.65
    # In the order of classes, and without what has no label.
    order = np.argsort(label)
    assert latent.probe_accuracy(apart[order], label[order]) > 0.99
    four = np.repeat(np.arange(4), 20)
    assert latent.probe_accuracy(8.0 * np.eye(4)[four], four) == 1
    unlabelled = np.where(RNG.uniform(size=400) < 0.5, label, -1)
    assert latent.probe_accuracy(np.where(unlabelled[:, None] < 0, -apart, apart), unlabelled) > 0.99
    assert latent.probe_accuracy(apart, 0 * label) is None
    assert latent.probe_accuracy(apart[:5], np.array([0, 0, 1, 1, 2])) is None
    axes = latent.principal_axes(apart)
    assert abs(np.corrcoef(axes[:, 0], label)[0, 1]) > 0.95


def test_latents_by_class_are_the_encoder_s_means():
    encoder = {"mean": {"kernel": jnp.ones((2, 2)), "bias": jnp.zeros(2)}, "log_variance": jnp.zeros(2)}
    label = np.tile([0, 1], 10)
    examples = {"image": np.tile(label[:, None, None, None], (1, 1, 2, 1)) * 1.0, "label": label}
    drawing = latent.classes_drawing(method(2), lambda: examples)
    found = drawing.compute(view_with(method(2), {"encoder": encoder}))
    np.testing.assert_allclose(found["z"], np.tile(2.0 * label[:, None], (1, 2)))
    title = drawing.draw({name: np.asarray(x) for name, x in found.items()}).axes[0].get_title()
    assert title == "a linear probe is right on 100.0% of 10"
    one = {**found, "label": np.zeros(20, int)}
    assert "takes two classes or more" in drawing.draw(one).axes[0].get_title()
    assert drawing.numbers is not None
    assert drawing.numbers(found) == {"probe_accuracy": 1.0}
    assert drawing.numbers(one) == {}
    legend = latent.classes_drawing(method(2), lambda: examples, ("cat", "dog")).draw(found).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["cat", "dog"]
