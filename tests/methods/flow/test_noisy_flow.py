"""Flows of noisy images against Gaussians, of which everything is known."""

import jax
import numpy as np
import optax
import pytest
from scipy import stats

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.methods.flow.noisy_flow import noisy_image_flow
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
MEAN, DEVIATION, NOISE = 0.1, 0.2, 0.15
X = np.random.default_rng(0).normal(MEAN, DEVIATION, (4096, 2, 2, 1)).astype(np.float32)
BATCH = {"image": X}


def fitted(**settings):
    """The maximum-likelihood Gaussian of noisy numbers, by data-dependent initialization."""
    method = noisy_image_flow(Net(ActNorm(), optax.sgd(0.0)), event_shape=(2, 2, 1), noise=NOISE, **settings)
    return method, view_of(method, init_state(method, KEY, BATCH))


def test_the_density_is_that_of_data_and_noise_and_cleaning_is_the_posterior_mean():
    method, view = fitted()
    figures = {name: np.asarray(x) for name, x in method.evaluate(view, BATCH, KEY).items()}
    variance = DEVIATION**2 + NOISE**2
    # A Gaussian's entropy; and what is left of the noise is the posterior's variance.
    assert figures["noisy_nats"].mean() == pytest.approx(4 * stats.norm(0, variance**0.5).entropy(), abs=0.03)
    assert figures["noise_left"].mean() == pytest.approx(DEVIATION**2 / variance, abs=0.02)
    loss = method.phases[0].loss(view, BATCH, KEY)[0]
    assert loss == pytest.approx(figures["noisy_nats"].mean(), abs=0.05)


def test_samples_are_cleaned_to_the_posterior_mean():
    method, view = fitted()
    plain, _ = fitted(denoise=False)
    z = 0.5 * jax.random.normal(KEY, (2000, 2, 2, 1))
    y, x = (np.asarray(m.latents.decode(view, {"z": z}, KEY)) for m in (plain, method))
    share = DEVIATION**2 / (DEVIATION**2 + NOISE**2)
    np.testing.assert_allclose(x, MEAN + share * (y - MEAN), atol=0.03)
    # A whole prior's clean samples are those of the mean, whose variance is smaller than the data's.
    drawn = np.asarray(method.sample(view, KEY, 4000))
    assert drawn.std() == pytest.approx(DEVIATION * share**0.5, rel=0.05)
    np.testing.assert_allclose(plain.latents.decode(view, method.latents.encode(view, BATCH), KEY), X, atol=1e-5)


def test_noise_is_positive():
    with pytest.raises(UserError, match="noise is 0; make it positive, or take image_flow"):
        noisy_image_flow(Net(ActNorm(), optax.sgd(0.0)), event_shape=(2, 2, 1), noise=0)


def test_labels_are_dropped_in_training_alone_and_another_module_may_draw():
    class Told(ActNorm):
        """Also shifted by the label, where it is told one, times a strength."""

        strength: float = 1.0

        @property
        def conditional(self):
            return True

        def inverse_and_log_det(self, x, label):
            z, log_det = super().inverse_and_log_det(x)
            return z - self.strength * label[:, None, None, None], log_det

        def forward_and_log_det(self, z, label):
            return super().forward_and_log_det(z + self.strength * label[:, None, None, None])

    batch = {**BATCH, "label": np.full(len(X), 2)}

    def made(untold, guided=None):
        net, shape = Net(Told(), optax.sgd(0.0)), (2, 2, 1)
        return noisy_image_flow(
            net, event_shape=shape, noise=NOISE, denoise=False, classes=3, untold=untold, guided=guided
        )

    view = view_of(made(0.0), init_state(made(0.0), KEY, batch))
    never, always, half = (float(made(share).phases[0].loss(view, batch, KEY)[0]) for share in (0.0, 1.0, 0.5))
    np.testing.assert_allclose((never - always) / 4, (2**2 - 1**2) / 2, rtol=0.05)  # z is standard, less 2 or plus 1
    assert half == pytest.approx((never + always) / 2, rel=0.05)
    latents = {"z": np.zeros((3, 2, 2, 1), np.float32), "label": np.arange(3)}
    one, more = (
        np.asarray(m.latents.decode(view, latents, KEY))[:, 0, 0, 0] for m in (made(0.0), made(0.0, Told(strength=1.5)))
    )
    np.testing.assert_allclose(np.diff(more), 1.5 * np.diff(one), rtol=1e-4)
