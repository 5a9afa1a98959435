"""Penalties of critics whose gradients are known by hand, and derivatives against finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.errors import UserError
from jaxgen.losses import penalties

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(2, 6, 3, 2))
W = RNG.normal(size=(3, 2))
A = RNG.normal(size=(6, 6))


def linear(x):
    return jnp.sum(W * x, axis=(1, 2)) + 5


def quadratic(a):
    """f(x) = xᵀ A x / 2, whose gradient is (A + Aᵀ) x / 2."""
    return lambda x: 0.5 * jnp.einsum("bi,ij,bj->b", x.reshape(len(x), -1), a, x.reshape(len(x), -1))


def assert_differentiated(loss, at):
    """The gradient along a direction is what central differences say."""
    both, step = jax.jit(jax.value_and_grad(loss)), 1e-6
    direction = np.random.default_rng(1).normal(size=np.shape(at))
    (above, _), (below, _), (_, gradient) = (jax.device_get(both(at + move * direction)) for move in (step, -step, 0.0))
    np.testing.assert_allclose(np.sum(gradient * direction), (above - below) / (2 * step), rtol=1e-6)


def all_three(critic, real, fake, target=1.0):
    return (
        penalties.gradient_penalty(critic, real, fake, KEY, target=target),
        penalties.r1(critic, real),
        penalties.max_gradient_penalty(critic, real, fake, KEY),
    )


of_linear = jax.jit(functools.partial(all_three, linear))


@pytest.mark.parametrize("target", [1.0, 0.0, 2.5])
def test_a_linear_critic_s_penalties_are_those_of_its_weights(x64, target):
    norm = np.linalg.norm(W)
    found, r1, largest = of_linear(REAL, FAKE, target)
    np.testing.assert_allclose(found, np.full(6, (norm - target) ** 2), rtol=1e-12)
    np.testing.assert_allclose(r1, np.full(6, norm**2), rtol=1e-12)
    np.testing.assert_allclose(largest, norm**2, rtol=1e-12)


def test_each_example_has_a_norm_of_its_own(x64):
    truth = np.linalg.norm(REAL.reshape(6, -1) @ (A + A.T) / 2, axis=1)
    # Between a point and itself there is no other.
    found, r1, largest = jax.jit(functools.partial(all_three, quadratic(A)))(REAL, REAL)
    np.testing.assert_allclose(r1, truth**2, rtol=1e-12)
    np.testing.assert_allclose(found, (truth - 1) ** 2, rtol=1e-10)
    np.testing.assert_allclose(largest, max(truth**2), rtol=1e-10)


def test_points_are_uniform_on_the_segments_and_independent(x64):
    # With f = |x|^2 / 2 the gradient is x itself: from the origin to a unit vector its norm is the share of the way.
    ends = np.tile([[0.6, 0.8]], (4000, 1))
    squares, _, largest = jax.jit(functools.partial(all_three, quadratic(np.eye(2)), target=0))(0 * ends, ends)
    share = np.sqrt(squares)
    assert stats.kstest(share, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(share[:-1], share[1:])[0, 1]) < 0.05
    assert largest == pytest.approx(1, abs=2e-3)


def test_derivatives_by_the_critic_s_weights(x64):
    assert_differentiated(lambda a: sum(jnp.sum(each) for each in all_three(quadratic(a), REAL, FAKE)), A)


def test_a_flat_critic_has_a_finite_derivative():
    def loss(w):
        return penalties.gradient_penalty(lambda x: w * x.sum((1, 2)), REAL, FAKE, KEY).sum()

    value, slope = jax.jit(jax.value_and_grad(loss))(0.0)
    assert value == 6
    assert slope == 0


def test_low_precision_critics_are_penalized_in_float32():
    images, weights = REAL.astype(jnp.bfloat16), np.float32(W)
    for found in jax.jit(lambda x: all_three(lambda x: jnp.sum(weights * x, axis=(1, 2)), x, x))(images):
        assert found.dtype == jnp.float32
        assert np.isfinite(found).all()


def scaled(scale):
    """A critic of a weight, steeper where its input is larger, and so is its penalty's slope."""
    return lambda x: scale * jnp.sum(x**2, (1, 2))


# name -> the penalty of (the critic's weight, real examples, what made the fakes): who hears of it
OF_GAMES = {
    "gradient_penalty": lambda w, real, theta: penalties.gradient_penalty(scaled(w), real, theta * FAKE, KEY).sum(),
    "max_gradient_penalty": lambda w, real, theta: penalties.max_gradient_penalty(scaled(w), real, theta * FAKE, KEY),
}


@pytest.mark.parametrize("name", OF_GAMES)
def test_what_made_the_fakes_does_not_hear_of_the_critic_s_penalty(x64, name):
    by_weight, by_fakes = jax.jit(jax.grad(OF_GAMES[name], (0, 2)))(0.7, REAL, 1.3)
    assert abs(by_weight) > 0.1
    assert by_fakes == 0


@pytest.mark.parametrize("penalty", [penalties.gradient_penalty, penalties.max_gradient_penalty])
def test_another_key_takes_other_points(x64, penalty):
    found = jax.jit(lambda key: jnp.sum(penalty(scaled(1.0), REAL, FAKE, key)))
    one, same, other = map(found, (KEY, KEY, jax.random.key(1)))
    assert one == same != other


def test_only_the_generator_s_images_hear_of_mode_seeking(x64):
    """And both images of a pair do, in opposite directions."""
    z, other = RNG.normal(size=(2, 5, 4))
    loss = jax.jit(jax.grad(lambda a, b: penalties.mode_seeking(z, a, other, b).sum(), (0, 1)))
    gradients = jax.device_get(loss(2 * z, 3 * other))
    assert np.abs(gradients[0]).min() > 1e-3
    np.testing.assert_allclose(gradients[0], -gradients[1], rtol=1e-12)


def test_unpaired_batches_are_refused():
    with pytest.raises(UserError, match="one fake example for each real one"):
        penalties.gradient_penalty(linear, REAL, FAKE[:1], KEY)


def test_orthogonality_looks_at_angles_alone_unless_lengths_are_asked_for(x64):
    orthogonality = jax.jit(penalties.orthogonality, static_argnames=("norms", "output_axis"))
    for kernel in (RNG.normal(size=(2, 2, 3, 4)), RNG.normal(size=(2, 1, 1, 5))):  # fewer filters than inputs, and more
        filters = kernel.reshape(-1, kernel.shape[-1]).T
        angles = sum((a @ b) ** 2 for i, a in enumerate(filters) for j, b in enumerate(filters) if i != j)
        lengths = sum((a @ a - 1) ** 2 for a in filters)
        np.testing.assert_allclose(orthogonality(kernel), angles, rtol=1e-12)
        np.testing.assert_allclose(orthogonality(kernel, norms=True), angles + lengths, rtol=1e-12)
        assert_differentiated(penalties.orthogonality, kernel)
    kernel = RNG.normal(size=(2, 2, 3, 4))
    filters = kernel.reshape(-1, 4).T
    angles = sum((a @ b) ** 2 for i, a in enumerate(filters) for j, b in enumerate(filters) if i != j)
    transposed = kernel.swapaxes(2, 3)
    np.testing.assert_allclose(orthogonality(transposed, output_axis=-2), angles, rtol=1e-12)
    basis = np.linalg.qr(RNG.normal(size=(12, 4)))[0].reshape(2, 2, 3, 4)
    np.testing.assert_allclose(orthogonality(3 * basis), 0, atol=1e-24)
    np.testing.assert_allclose(orthogonality(3 * basis, norms=True), 4 * 8**2, rtol=1e-12)


def test_mode_seeking_of_a_linear_generator_is_the_inverse_of_its_slope(x64):
    z, other = RNG.normal(size=(2, 5, 4))

    def loss(slope):
        return penalties.mode_seeking(z, slope * z, other, slope * other)

    np.testing.assert_allclose(jax.jit(loss)(4.0), np.full(5, 0.25), rtol=1e-4)
    assert_differentiated(lambda slope: loss(slope).sum(), 4.0)
    collapsed = jax.jit(penalties.mode_seeking)(z, np.ones((5, 2, 2)), other, np.ones((5, 2, 2)))
    np.testing.assert_allclose(collapsed, 1e5 * np.abs(z - other).mean(1), rtol=1e-12)


def test_path_length_of_a_linear_map_is_its_frobenius_norm(x64):
    """E |A^T y|^2 = |A|_F^2 over the pixels, and the penalty's spread is that of the lengths."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(3 * 4 * 2, 5))
    w = rng.normal(size=(4000, 5))
    images = lambda w: (w @ a.T).reshape(-1, 3, 4, 2)  # noqa: E731
    penalty, mean = jax.device_get(jax.jit(lambda w: penalties.path_length(images, w, KEY, 0.0, decay=1.0))(w))
    # With the mean of this very batch, the penalty is the lengths' variance.
    squares = float(np.mean(penalty) + mean**2)
    assert squares == pytest.approx(np.sum(a**2) / 12, rel=0.03)
    lengths = np.linalg.norm(rng.normal(size=(100_000, 24)) / np.sqrt(12) @ a, axis=1)
    assert float(mean) == pytest.approx(lengths.mean(), rel=0.02)
    assert float(np.mean(penalty)) == pytest.approx(lengths.var(), rel=0.1)


def test_path_length_rests_where_all_paths_are_equally_long(x64):
    """One pixel, a map that turns w: every length is |y|, and with y's size divided out the penalty is zero."""
    w = np.random.default_rng(0).normal(size=(64, 6))
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]

    def images(w):  # all images move along one direction by w's first coordinate: J^T y = y_0 e
        return jnp.sign(jax.random.normal(KEY, (64, 1, 1, 1))) * (w @ turned)[:, :1, None, None]

    @jax.jit
    def run(w):
        return jax.random.normal(KEY, (64, 1, 1, 1)), penalties.path_length(images, w, KEY, 1.0, decay=0.0)[0]

    y, penalty = run(w)
    np.testing.assert_allclose(penalty, (np.abs(np.ravel(y)) - 1) ** 2, atol=1e-12)


def test_path_length_averages_layers_moves_its_mean_and_stays_finite(x64):
    keep = np.random.default_rng(0).normal(size=(5, 12))

    def images(w):
        return (w[:, 0] @ keep).reshape(-1, 2, 3, 2)  # of three layers one does something

    def alone(w):
        return (w @ keep).reshape(-1, 2, 3, 2)

    def of_flat(w):
        return penalties.path_length(lambda w: 0 * alone(w) * w.sum(), w, KEY, 0.0)[0].sum()

    @jax.jit
    def run(w):
        of_three = penalties.path_length(images, w, KEY, 2.0)
        of_one = penalties.path_length(alone, w[:, 0], KEY, 0.0, decay=1.0)
        return of_three, of_one, jax.grad(of_flat)(w[:, 0])

    (penalty, mean), (one, its), flat = jax.device_get(run(np.ones((8, 3, 5))))
    batch = float(its) / np.sqrt(3)
    assert float(mean) == pytest.approx(2.0 + 0.01 * (batch - 2.0))
    assert np.mean(penalty) == pytest.approx(np.mean(one) / 3 + (batch - float(mean)) ** 2)
    assert np.isfinite(flat).all()
