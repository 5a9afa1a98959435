import numpy as np

from jaxgen.data.sound import from_mu_law, mu_law


def test_symbols_come_back_and_samples_within_half_a_step_which_grows_with_them():
    symbols = np.arange(256)
    samples = from_mu_law(symbols)
    np.testing.assert_array_equal(mu_law(samples), symbols)
    np.testing.assert_allclose(samples[[0, 255]], [-1, 1])
    x = np.linspace(-1, 1, 10_001)
    error = np.abs(from_mu_law(mu_law(x)) - x)
    # half a step of f is 1/255; df/dx = 255 / (ln 256 (1 + 255 |x|))
    assert (error <= 1.1 / 255 * np.log(256) * (1 + 255 * np.abs(x)) / 255).all()
    assert error[np.abs(x) < 0.01].max() < 5e-4 < 1e-2 < error.max()


def test_g711_s_curve_and_clipping():
    assert mu_law(np.array([0.0, 2.0, -3.0])).tolist() == [128, 255, 0]
    np.testing.assert_allclose((mu_law(np.array([0.1])) / 255 * 2 - 1), np.log1p(25.5) / np.log(256), atol=1 / 255)
