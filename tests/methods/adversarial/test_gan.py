"""GANs so small that their course is known by hand, and what each remedy does to it.

The Dirac GAN of Mescheder et al. (2018): data at one point, a generator that is a point theta, a critic psi x + b.
"""

import dataclasses
from types import SimpleNamespace

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from jaxgen.core import Aux, Net, view_of
from jaxgen.errors import UserError
from jaxgen.layers.conv import ConvTranspose
from jaxgen.layers.spectral_norm import SpectralConvTranspose, SpectralDense
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import augmentation, regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.simultaneous import simultaneous
from jaxgen.optimizers import clip_weights
from jaxgen.training.evaluate import standing
from jaxgen.training.sharding import make_mesh, replicated, shardings_of
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)


class Point(nn.Module):
    """theta, whatever z is."""

    theta: float = 1.0

    @nn.compact
    def __call__(self, z, *, train):
        return self.param("theta", lambda key: jnp.asarray(self.theta)) + 0 * z


class Line(nn.Module):
    """psi x + b."""

    psi: float = 0.0

    @nn.compact
    def __call__(self, x, *, train):
        slope, intercept = (
            self.param("psi", lambda key: jnp.asarray(self.psi)),
            self.param("b", lambda key: jnp.zeros(())),
        )
        return slope * x[:, 0] + intercept


def dirac(loss, *, theta=1.0, psi=0.0, rate=0.1, **settings):
    generator, critic = Net(Point(theta), optax.sgd(rate)), Net(Line(psi), optax.sgd(rate))
    return gan(generator, critic, loss, prior=normal(1), **settings)


def course(method, steps, batch):
    """The state after so many steps on one batch, and every step's metrics."""
    first = {field: jnp.asarray(x) for field, x in batch.items()}
    step, batches = build_step(method), jax.tree.map(lambda x: x[None], first)

    def run():
        return jax.lax.scan(lambda s, _: step(s, batches, KEY), init_state(method, KEY, first), None, steps)

    return jax.jit(run).lower().compile({"xla_backend_optimization_level": 0})()


def play(method, steps, batch):
    """The state alone."""
    return course(method, steps, batch)[0]


def numbers(state):
    return float(state.nets["generator"].params["theta"]), float(state.nets["critic"].params["psi"])


ORIGIN = {"image": np.zeros((4, 1), np.float32)}


def test_alternating_and_simultaneous_moves_by_hand():
    # The critic descends psi theta, the generator -psi theta: the game min max x y.
    method = dirac(adversarial.wasserstein, theta=2.0, psi=1.0)
    assert numbers(play(method, 1, ORIGIN)) == pytest.approx((2 + 0.1 * 0.8, 1 - 0.1 * 2))
    assert numbers(play(simultaneous(method), 1, ORIGIN)) == pytest.approx((2 + 0.1 * 1, 1 - 0.1 * 2))


def test_simultaneous_moves_accumulate_as_alternating_ones_do():
    method = dirac(adversarial.wasserstein, theta=2.0, psi=1.0)
    critic, generator = method.phases
    both = [dataclasses.replace(phase, accumulate=2) for phase in (critic, generator)]
    (phase,) = simultaneous(dataclasses.replace(method, phases=tuple(both))).phases
    assert phase.accumulate == 2
    with pytest.raises(UserError, match="over as many micro-batches"):
        simultaneous(dataclasses.replace(method, phases=(both[0], generator)))


def test_simultaneous_moves_keep_the_variables_that_each_phase_returns():
    method = dirac(adversarial.wasserstein)
    phases = tuple(
        dataclasses.replace(
            phase, loss=lambda view, batch, key, new=new: (jnp.zeros(()), Aux({}, {"critic": {new: 1}}))
        )
        for phase, new in zip(method.phases, "xy", strict=True)
    )
    (phase,) = simultaneous(dataclasses.replace(method, phases=phases)).phases
    view = view_of(method, init_state(method, KEY, ORIGIN))
    assert phase.loss(view, ORIGIN, KEY)[1].variables == {"critic": {"x": 1, "y": 1}}


@pytest.mark.parametrize(("moves", "low", "high"), [(simultaneous, 1.6446, 1.6447), (lambda method: method, 0.9, 1.1)])
def test_simultaneous_moves_spiral_outwards_and_alternating_ones_stay_near(moves, low, high):
    theta, psi = numbers(play(moves(dirac(adversarial.wasserstein)), 100, ORIGIN))
    assert low < np.hypot(theta, psi) < high


def test_what_cannot_move_at_once_is_refused():
    with pytest.raises(UserError, match="cannot move at once"):
        simultaneous(dirac(adversarial.wasserstein, critic_steps=2))


@pytest.mark.parametrize(
    ("remedy", "converges"),
    [
        ({}, False),
        ({"critic_regularizers": [regularizers.r1(1.0)]}, True),
        ({"augmentations": [augmentation.instance_noise(lambda step: 1.0)]}, True),
    ],
    ids=["none", "r1", "instance_noise"],
)
def test_the_dirac_gan_converges_with_what_mescheder_et_al_say_and_not_without(remedy, converges):
    batch = {"image": np.zeros((256, 1), np.float32)}
    theta, _ = numbers(play(simultaneous(dirac(adversarial.non_saturating, **remedy)), 400, batch))
    assert (abs(theta) < 0.1) == converges


@pytest.mark.parametrize("gammas", [(0.0, 0.0), (0.3, 0.0), (0.0, 0.3), (0.3, 0.2)], ids=str)
def test_pairing_converges_locally_only_with_its_penalties(gammas):
    """Near rest, theta' = psi / 2 and psi' = -theta / 2 - (gamma_1 + gamma_2) psi: alone it turns for ever."""
    terms = [regularizers.r1(gammas[0]), regularizers.r2(gammas[1])]
    method = simultaneous(dirac(adversarial.relativistic_pairing, theta=0.02, critic_regularizers=terms))
    move = np.eye(2) + 0.1 * np.array([[0, 0.5], [-0.5, -sum(gammas)]])
    expected = np.linalg.matrix_power(move, 200) @ [0.02, 0]
    found = numbers(play(method, 200, ORIGIN))
    np.testing.assert_allclose(found, expected, atol=3e-5)
    assert (np.hypot(*found) < 0.01) == (sum(gammas) > 0)


def test_r2_is_at_generated_points():
    """Of a parabola x^2 the gradient is 2 x: 0 at the data, 2 theta at the samples."""

    class Parabola(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return self.param("a", lambda key: jnp.ones(())) * x[:, 0] ** 2

    method = gan(
        Net(Point(3.0)), Net(Parabola()), adversarial.hinge, prior=normal(1),
        critic_regularizers=[regularizers.r1(0.5), regularizers.r2(0.5)],
    )  # fmt: skip
    view = view_of(method, init_state(method, KEY, ORIGIN))
    assert method.phases[0].loss(view, ORIGIN, KEY)[1].metrics["regularization"] == pytest.approx(0.25 * 36)


def test_the_critic_sees_real_data_in_the_generator_s_phase_only_where_the_loss_looks_at_it():
    seen = []

    class Counting(Line):
        @nn.compact
        def __call__(self, x, *, train):
            seen.append(1)
            return Line()(x, train=train)

    for loss, calls in ((adversarial.hinge, 1), (adversarial.relativistic_pairing, 2)):
        method = gan(Net(Point()), Net(Counting()), loss, prior=normal(1))
        view = view_of(method, init_state(method, KEY, ORIGIN))
        seen.clear()
        method.phases[1].loss(view, ORIGIN, KEY)
        assert len(seen) == calls


# The critic alone, data at 0 and the generator at -2, so that its Wasserstein game is to maximise 2 psi.
BEST_SLOPES = {
    "gradient_penalty": (
        {"critic_regularizers": [regularizers.gradient_penalty(10.0)]},
        1.1,
    ),  # 2 psi - 10 (psi - 1)^2
    "zero_centred": ({"critic_regularizers": [regularizers.gradient_penalty(10.0, target=0.0)]}, 0.1),
    "max_gradient_penalty": ({"critic_regularizers": [regularizers.max_gradient_penalty(4.0)]}, 0.25),
    "r1": ({"critic_regularizers": [regularizers.r1(5.0)]}, 0.4),
    "r2": ({"critic_regularizers": [regularizers.r2(5.0)]}, 0.4),
    "two": ({"critic_regularizers": [regularizers.r1(5.0), regularizers.r1(5.0)]}, 0.2),
}


@pytest.mark.parametrize("name", BEST_SLOPES)
def test_penalties_stop_the_critic_s_slope_where_they_should(name):
    settings, slope = BEST_SLOPES[name]
    method = dirac(adversarial.wasserstein, theta=-2.0, rate=0.02, **settings)
    alone = dataclasses.replace(method, phases=method.phases[:1])
    assert numbers(play(alone, 500, ORIGIN))[1] == pytest.approx(slope, rel=1e-3)
    if name == "r1":
        free = dirac(adversarial.wasserstein, theta=-2.0, rate=0.02)
        assert numbers(play(dataclasses.replace(free, phases=free.phases[:1]), 500, ORIGIN))[1] > 10


class SpectralLine(nn.Module):
    """A line whose slope is the product of two unit vectors: their own sizes are divided away."""

    @nn.compact
    def __call__(self, x, *, train):
        return SpectralDense(1, name="last")(SpectralDense(4, name="first")(x))[:, 0]


@pytest.mark.parametrize(
    ("module", "optimizer", "slope"),
    [
        (Line(), optax.chain(optax.sgd(0.02), clip_weights(0.3)), 0.3),
        (SpectralLine(), optax.sgd(0.02), 1.0),
    ],
    ids=["clipped", "spectrally normalized"],
)
def test_constraints_on_weights_bound_the_critic_s_slope(module, optimizer, slope):
    method = gan(Net(Point(-2.0), optax.sgd(0.02)), Net(module, optimizer), adversarial.wasserstein, prior=normal(1))
    state = play(dataclasses.replace(method, phases=method.phases[:1]), 500, ORIGIN)
    low, high = view_of(method, state)("critic", jnp.array([[0.0], [1.0]]), train=False)
    assert float(high - low) == pytest.approx(slope, rel=1e-3)


def test_instance_noise_gives_disjoint_supports_a_finite_best_discriminator():
    # N(0, s^2) against N(1, s^2): the logit's slope is -1 / s^2. Without noise it grows for ever.
    batch = {"image": np.zeros((512, 1), np.float32)}
    slopes = []
    for std in (0.8, 0.0):
        noise = augmentation.instance_noise(lambda step, std=std: jnp.where(step < 10_000, std, 0.0))
        method = dirac(adversarial.non_saturating, rate=0.5, augmentations=[noise])
        slopes.append(numbers(play(dataclasses.replace(method, phases=method.phases[:1]), 400, batch))[1])
    assert slopes[0] == pytest.approx(-1 / 0.8**2, abs=0.2)
    assert slopes[1] < -6


def test_instance_noise_follows_its_schedule():
    noise = augmentation.instance_noise(optax.linear_schedule(0.5, 0.0, 100))
    stds = [float(jnp.std(noise(jnp.zeros((100, 100)), KEY, jnp.asarray(step)))) for step in (0, 50, 100, 200)]
    np.testing.assert_allclose(stds, [0.5, 0.25, 0, 0], rtol=0.03, atol=1e-7)


def test_mode_seeking_spreads_samples_that_the_critic_does_not_ask_to_spread():
    """A critic that sees means alone is content with one point between the two modes."""

    class Spread(nn.Module):
        @nn.compact
        def __call__(self, z, *, train):
            return self.param("scale", lambda key: jnp.asarray(0.1)) * z

    batch = {"image": np.array([[-1.0], [1.0]] * 32, np.float32)}
    spreads = []
    for terms in ((), (regularizers.mode_seeking(0.1),)):
        method = gan(
            Net(Spread(), optax.sgd(0.02)), Net(Line(), optax.sgd(0.02)), adversarial.non_saturating, prior=normal(1),
            generator_regularizers=terms,
        )  # fmt: skip
        spreads.append(play(method, 200, batch).nets["generator"].params["scale"])
    assert spreads[0] == pytest.approx(0.1, abs=0.05)
    assert spreads[1] > 0.5


def test_the_orthogonal_regularizer_straightens_a_generator_s_kernels():
    class Generator(nn.Module):
        @nn.compact
        def __call__(self, z, *, train):
            table = self.param("embedding", lambda _: jnp.ones((5, 6)))
            return nn.Dense(6, kernel_init=lambda *_: jnp.ones((8, 6)) + jnp.eye(8, 6))(z) + 0 * table[0]

    def angles(weight):
        term = regularizers.orthogonal(weight)
        method = gan(
            Net(Generator(), optax.sgd(0.01)), Net(Line(), optax.sgd(0.01)), adversarial.wasserstein, prior=normal(8),
            generator_regularizers=[term],
        )  # fmt: skip
        params = play(method, 300, {"image": np.zeros((4, 6), np.float32)}).nets["generator"].params
        np.testing.assert_array_equal(params["embedding"], 1)
        kernel = params["Dense_0"]["kernel"]
        unit = kernel / jnp.linalg.norm(kernel, axis=0)
        return float(jnp.abs(unit.T @ unit - jnp.eye(6)).max())

    assert angles(0.0) > 0.5
    assert angles(0.1) < 0.01


def test_the_orthogonal_regularizer_knows_the_filters_of_a_transposed_convolution():
    class Generator(nn.Module):
        @nn.compact
        def __call__(self, z, *, train):
            x = SpectralConvTranspose(5, (2, 2), kernel_init=nn.initializers.normal())(z.reshape(-1, 1, 1, 2))
            return ConvTranspose(1, (2, 2), kernel_init=nn.initializers.normal())(x)

    method = gan(Net(Generator()), Net(Line()), adversarial.hinge, prior=normal(2))
    params = init_state(method, KEY, {"image": np.zeros((4, 1, 1, 1), np.float32)}).nets["generator"].params
    game = SimpleNamespace(view=SimpleNamespace(params={"generator": params}, weight=lambda weight: weight))
    kernel = np.asarray(params["SpectralConvTranspose_0"]["transposed_kernel"])
    filters = [kernel[:, :, i].ravel() for i in range(5)]  # and the one of the other layer, which is alone
    angles = sum((a @ b) ** 2 for i, a in enumerate(filters) for j, b in enumerate(filters) if i != j)
    assert regularizers.orthogonal(3.0)(game, KEY)[0] == pytest.approx(3 * angles, rel=1e-5)


class Table(nn.Module):
    """A point for each label, and some noise."""

    @nn.compact
    def __call__(self, z, label, *, train):
        return nn.Embed(3, 1, embedding_init=nn.initializers.zeros, name="table")(label) + 0.1 * z


class Projection(nn.Module):
    """A slope for each label."""

    @nn.compact
    def __call__(self, x, label, *, train):
        return (nn.Embed(3, 1, embedding_init=nn.initializers.zeros)(label) * x)[:, 0]


def conditional(**settings):
    return gan(
        Net(Table(), optax.sgd(0.1)), Net(Projection(), optax.sgd(0.1)), adversarial.non_saturating, prior=normal(1),
        classes=3, critic_regularizers=[regularizers.r1(1.0)], **settings,
    )  # fmt: skip


def test_a_critic_that_judges_both_kinds_in_one_pass_learns_the_same():
    batch = {"image": np.array([[-1.0], [2.0], [0.5], [3.0]], np.float32), "label": np.array([0, 2, 1, 0])}
    (apart, logged), (together, same) = (course(conditional(together=each), 3, batch) for each in (False, True))
    chex.assert_trees_all_close((together, same), (apart, logged), rtol=1e-5, atol=1e-7)
    assert abs(logged["critic/real"][-1] - logged["critic/fake"][-1]) > 0.01


def test_a_conditional_gan_learns_from_the_batch_s_labels_and_samples_all_classes():
    batch = {"image": np.array([[-1.0], [2.0]] * 32, np.float32), "label": np.array([0, 2] * 32)}
    method = conditional()
    state = play(method, 1500, batch)
    # Nobody saw label 1: neither player moves its row, and R1 leaves it where it is.
    np.testing.assert_allclose(state.nets["generator"].params["table"]["embedding"][:, 0], [-1, 0, 2], atol=0.1)
    latents = method.latents.prior(KEY, 3000, None)
    assert np.bincount(latents["label"], minlength=3) == pytest.approx([1000] * 3, abs=100)
    x = method.latents.decode(view_of(method, state), latents, KEY)[:, 0]
    for value, mean in enumerate([-1, 0, 2]):
        assert float(x[latents["label"] == value].mean()) == pytest.approx(mean, abs=0.1)
    figures = method.evaluate(view_of(method, state), batch, KEY)
    assert {value.shape for value in figures.values()} == {(64,)}


@pytest.mark.parametrize(
    ("psi", "b", "accuracy"), [(1.0, 5.0, 1.0), (1.0, -5.0, 1.0), (-1.0, 5.0, 0.0), (0.0, 5.0, 0.5)]
)
def test_a_critic_s_accuracy_is_the_order_of_its_scores_wherever_their_zero_is(psi, b, accuracy):
    method = dirac(adversarial.wasserstein, theta=-1.0, psi=psi)
    batch = {"image": np.ones((8, 1), np.float32)}
    state = init_state(method, KEY, batch)
    state.nets["critic"].params["b"] = jnp.asarray(b)
    assert float(method.evaluate(view_of(method, state), batch, KEY)["critic_accuracy"].mean()) == accuracy


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_standing_statistics_are_those_of_the_averaged_weights_whatever_the_momentum(momentum):
    class Normalized(nn.Module):
        @nn.compact
        def __call__(self, z, *, train):
            x = nn.Dense(3, name="dense")(z)
            return nn.BatchNorm(not train, momentum=momentum, use_bias=False, use_scale=False, name="norm")(x)

    method = gan(Net(Normalized(), optax.sgd(0.1), 0.99), Net(Line()), adversarial.hinge, prior=normal(2))
    state = init_state(method, KEY, {"image": np.zeros((8, 3), np.float32)})
    kernel = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]], np.float32)
    state.nets["generator"].ema["dense"] = {"kernel": kernel, "bias": np.array([0.0, 4.0, -2.0], np.float32)}
    mesh = make_mesh(devices=jax.devices()[:1])
    settled = standing(method, mesh, shardings_of(jax.device_put(state, replicated(mesh))))(state)
    chex.assert_trees_all_equal(settled.nets["generator"].params, state.nets["generator"].params)
    found = settled.nets["generator"].variables["batch_stats"]["norm"]
    # z is standard normal, so that the layer's output has this mean and variance.
    np.testing.assert_allclose(found["mean"], [0.0, 4.0, -2.0], atol=0.4)
    np.testing.assert_allclose(found["var"], np.sum(kernel**2, 0), rtol=0.2)


def test_power_iterations_move_in_the_critic_s_phase_alone():
    class Critic(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return jnp.sum(nn.relu(SpectralDense(8, name="hidden")(x)), axis=1)

    method = gan(Net(Point(), optax.sgd(0.1)), Net(Critic(), optax.sgd(0.1)), adversarial.hinge, prior=normal(1))
    batch = {"image": np.random.default_rng(0).normal(size=(8, 1)).astype(np.float32)}
    (both, metrics), (alone, _) = (
        course(dataclasses.replace(method, phases=method.phases[:count]), 1, batch) for count in (2, 1)
    )
    chex.assert_trees_all_close(both.nets["critic"], alone.nets["critic"], rtol=1e-6)
    sigma = both.nets["critic"].variables["spectral"]["hidden"]["sigma"]
    assert sigma != 1  # which it was at first
    assert metrics["critic/spectral_norm"][0] == sigma
    assert "generator/spectral_norm" not in metrics  # which has no such layer


def test_a_critic_s_batch_statistics_are_of_real_and_then_of_generated_examples():
    class Generator(nn.Module):
        @nn.compact
        def __call__(self, z, *, train):
            return jnp.ones((len(z), 1)) * self.param("one", nn.initializers.ones, ())

    class Critic(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)[:, 0]

    method = gan(Net(Generator()), Net(Critic()), adversarial.wasserstein, prior=normal(1))
    batch = {"image": np.full((8, 1), 2.0, np.float32)}
    _, aux = method.phases[0].loss(view_of(method, init_state(method, KEY, batch)), batch, KEY)
    mean = aux.variables["critic"]["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(mean, 0.9 * (0.1 * 2) + 0.1 * 1, rtol=1e-5)


def test_a_generator_learns_by_the_critic_s_norms_as_its_phase_left_them():
    class Generator(nn.Module):
        @nn.compact
        def __call__(self, z, *, train):
            return jnp.broadcast_to(self.param("point", nn.initializers.ones, (3,)), (len(z), 3))

    class Critic(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return jnp.sum(SpectralDense(4, name="hidden")(x), axis=1)

    critic = Critic()
    method = gan(Net(Generator()), Net(critic), adversarial.wasserstein, prior=normal(1))
    batch = {"image": np.zeros((8, 3), np.float32)}
    state = init_state(method, KEY, batch)
    value, _ = method.phases[1].loss(view_of(method, state), batch, KEY)
    found = state.nets["critic"]
    still = critic.apply({"params": found.params, **found.variables}, jnp.ones((1, 3)), train=True)
    moved, _ = critic.apply(
        {"params": found.params, **found.variables}, jnp.ones((1, 3)), train=True, mutable=["spectral"]
    )
    assert value == pytest.approx(-float(still[0]), rel=1e-5)
    assert value != pytest.approx(-float(moved[0]), rel=1e-2)


def test_a_generator_s_power_iterations_move_in_its_own_phase_alone():
    class Generator(nn.Module):
        @nn.compact
        def __call__(self, z, *, train):
            return SpectralDense(4, use_bias=False, name="layer")(jnp.ones((len(z), 3)))

    class Sum(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return x.sum(1) + 0 * self.param("none", lambda key: jnp.zeros(()))

    method = gan(Net(Generator(), optax.sgd(0.0)), Net(Sum(), optax.sgd(0.0)), adversarial.wasserstein, prior=normal(1))
    batch = {"image": np.zeros((8, 4), np.float32)}
    before = init_state(method, KEY, batch).nets["generator"]
    kernel, u = before.params["layer"]["kernel"], before.variables["spectral"]["layer"]["u"]
    total, held = float(kernel.sum()), np.linalg.norm(kernel @ u)
    v = kernel @ u / held
    moved = np.linalg.norm(v @ kernel)
    assert abs(moved / held - 1) > 0.01  # an iteration can be told from none
    after, metrics = course(method, 1, batch)
    assert metrics["critic/fake"][0] == pytest.approx(total / held, rel=1e-4)
    assert metrics["generator/loss"][0] == pytest.approx(-total / moved, rel=1e-4)
    np.testing.assert_allclose(
        after.nets["generator"].variables["spectral"]["layer"]["u"], v @ kernel / moved, rtol=1e-4
    )


@pytest.mark.slow
def test_augmentations_keep_a_critic_from_learning_its_examples_by_heart():
    """Sixteen digits called real and sixteen called generated: there is nothing to know but which is which."""

    class Critic(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.Dense(1)(nn.relu(nn.Dense(64)(x.reshape(len(x), -1))))[:, 0]

    class Others(nn.Module):
        @nn.compact
        def __call__(self, z, *, train):
            return images[16:] + 0 * self.param("none", lambda key: jnp.zeros(()))

    images = jnp.asarray(load_digits().images[:32, ..., None] / 8 - 1, jnp.float32)
    losses = []
    for steps in ((), (augmentation.color, augmentation.translation, augmentation.cutout)):
        method = gan(
            Net(Others(), optax.sgd(0.0)), Net(Critic(), optax.adam(3e-3)), adversarial.non_saturating, prior=normal(1),
            augmentations=steps,
        )  # fmt: skip
        state = play(dataclasses.replace(method, phases=method.phases[:1]), 200, {"image": images[:16]})
        logits = view_of(method, state)("critic", images, train=False)
        losses.append(float(jax.nn.softplus(-logits[:16]).mean() + jax.nn.softplus(logits[16:]).mean()))
    assert losses[0] < 0.1
    assert losses[1] > 5 * losses[0]
