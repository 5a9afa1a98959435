"""Style is what pixels have in common, not where they are."""

import numpy as np

from jaxgen.losses.style import gram, style_loss

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 3, 4, 5, 6)).astype(np.float32)


def test_gram_by_pixels():
    truth = np.zeros((3, 6, 6))
    for image in range(3):
        for pixel in X[image].reshape(-1, 6):
            truth[image] += np.outer(pixel, pixel) / 20
    np.testing.assert_allclose(gram(X), truth, rtol=1e-5, atol=1e-6)


def test_shuffled_pixels_have_the_same_style_and_other_ones_another():
    order = RNG.permutation(20)
    shuffled = X.reshape(3, 20, 6)[:, order].reshape(X.shape)
    np.testing.assert_allclose(style_loss(shuffled, X), 0, atol=1e-10)
    truth = ((np.asarray(gram(X)) - np.asarray(gram(Y))) ** 2).sum((1, 2)) / (4 * 36)
    np.testing.assert_allclose(style_loss(X, Y), truth, rtol=1e-5)
    assert (np.asarray(style_loss(X, Y)) > 0).all()


def test_images_of_other_sizes_compare():
    np.testing.assert_allclose(style_loss(np.tile(X, (1, 2, 3, 1)), X), 0, atol=1e-10)
