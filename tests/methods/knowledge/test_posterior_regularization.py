"""Regularized methods against what can be computed by hand: eight states, and a Gaussian with one parameter."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import integrate, optimize, special, stats

from jaxgen.core import Aux, Latents, Method, Net, Phase, view_of
from jaxgen.errors import UserError
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.knowledge.posterior_regularization import Constraint, posterior_sampler, steer, teach
from jaxgen.models.adversarial.dcgan import Discriminator, Generator
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)
DATA = np.array([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
F = np.array([0.0, 1.0, -1.0, 2.0, 0.5, 0.0, 3.0, -2.0])
HIDDEN = np.array([2.0, 0.0, 1.0, -2.0, 0.0, 1.5, -1.0, 0.0])


class Table(nn.Module):
    """A number for each of the eight states, all zero at first."""

    @nn.compact
    def __call__(self, x, *, train=False):
        return self.param("values", nn.initializers.zeros, (8,))[x]


class Linear(nn.Module):
    """A weighted sum of pixels."""

    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(1)(x.reshape(len(x), -1))[:, 0]


def states(optimizer=optax.adam(0.02)):
    """The categorical distribution of eight states, by maximum likelihood on the batch field `x`."""

    def loss(view, batch, key):
        log_p = jax.nn.log_softmax(view("model", jnp.arange(8)))
        return -jnp.mean(log_p[batch["x"]]), Aux()

    def decode(view, gumbel, key):
        return jnp.argmax(view("model", jnp.arange(8)) + gumbel, axis=1)

    def init(modules, key, batch):
        return {"model": modules["model"].init(key, batch["x"])}

    nets = {"model": Net(Table(), optimizer, ema_decay=0.99)}
    latents = Latents(lambda key, count, batch: jax.random.gumbel(key, (count, 8)), decode)
    return Method("categorical", nets, (Phase("model", ("model",), loss),), init, latents, lambda view, batch, key: {})


def location():
    """N(w, 1) pulled to the mean of the batch field `x` by (w - mean)^2 / 2; its samples are w + z."""

    def loss(view, batch, key):
        return jnp.square(view("model", 0) - jnp.mean(batch["x"])) / 2, Aux()

    def init(modules, key, batch):
        return {"model": modules["model"].init(key, 0)}

    nets = {"model": Net(Table(), optax.sgd(0.1), ema_decay=0.98)}
    latents = Latents(
        lambda key, count, batch: jax.random.normal(key, (count,)), lambda view, z, key: view("model", 0) + z
    )
    return Method("location", nets, (Phase("model", ("model",), loss),), init, latents, lambda view, batch, key: {})


def train(method, steps, batch_of):
    """Averaged view after steps on batches `batch_of(key)`, all in one compiled loop."""
    state = init_state(method, KEY, batch_of(KEY))
    step = build_step(method)

    def body(state, key):
        batches = jax.tree.map(lambda x: x[None], batch_of(key))
        return step(state, batches, KEY)

    state, metrics = jax.jit(lambda state: jax.lax.scan(body, state, jax.random.split(KEY, steps)))(state)
    return view_of(method, state).averaged(), metrics


def draw_from(p):
    return lambda key: jax.random.categorical(key, jnp.log(p), shape=(512,))


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / e.sum()


@pytest.mark.slow
def test_teaching_ends_where_exact_em_does():
    alpha = 1.0
    method = teach(states(), Constraint(alpha, lambda x: jnp.asarray(F)[x]), field="x", proposals=512)
    view, _ = train(method, 1500, lambda key: {"x": draw_from(DATA)(key)})
    p = DATA
    for _ in range(500):  # E: q ∝ p exp(alpha f); M: the even mixture
        p = (DATA + p * np.exp(alpha * F) / (p @ np.exp(alpha * F))) / 2
    assert stats.entropy(DATA, p) > 0.1  # far from where it would be without
    np.testing.assert_allclose(softmax(np.asarray(view("model", jnp.arange(8)))), p, atol=0.02)


def test_no_gradient_passes_through_the_samples_that_teach():
    """d/dw of (w - m)^2 / 2 at w = 1, once at the data's mean and once at that of samples w + z, which move with w."""
    method = teach(location(), Constraint(0.7, lambda x: x), field="x", proposals=64)
    state = init_state(method, KEY, {"x": jnp.zeros(3)})
    params = {"model": {"values": jnp.ones(8)}}
    view = dataclasses.replace(view_of(method, state), params=params)
    batch = {"x": jnp.array([-1.0, 0.0, -2.0])}
    phase = method.phases[0].loss

    def loss(params):
        value, aux = phase(dataclasses.replace(view, params=params), batch, KEY)
        return value, aux.metrics["on_posterior"]

    (_, apart), slope = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    difference = np.sqrt(2 * float(apart))  # |w - the samples' mean|, of samples that are drawn upwards
    assert difference > 0.05
    taught = float(slope["model"]["values"][0]) - (1 - -1)
    assert abs(taught) == pytest.approx(difference, rel=1e-4)


@pytest.mark.parametrize(
    "regularize", [teach, lambda base, *args, **given: steer(base, *args, through="model", **given)]
)
def test_the_base_is_evaluated_with_noise_of_its_own(regularize):
    """Not that of the samples which the constraint looks at."""
    noisy = dataclasses.replace(location(), evaluate=lambda view, batch, key: {"noise": jax.random.normal(key, (4,))})
    draw = lambda view, key, count: jax.random.normal(key, (count,))  # noqa: E731
    method, batch = regularize(noisy, Constraint(0.0, lambda x: x), field="x", draw=draw), {"x": jnp.zeros(4)}
    figures = method.evaluate(view_of(method, init_state(method, KEY, batch)), batch, KEY)
    assert not np.isclose(figures["noise"][:, None], figures["constraint"], atol=1e-6).any()


def test_steering_ends_at_the_closed_form():
    """(w - m)^2 / 2 + alpha (w - 3)^2 / 2 is least at (m + 3 alpha) / (1 + alpha)."""
    method = steer(location(), Constraint(4.0, lambda x: -((x - 3) ** 2) / 2), through="model", field="x")
    view, metrics = train(method, 400, lambda key: {"x": jnp.array([-1.0, 0.0, -2.0])})
    assert view("model", 0) == pytest.approx((-1 + 3 * 4) / 5, abs=0.05)
    assert metrics["model/constraint"][-1] == pytest.approx(-(0.8**2 + 1) / 2, abs=0.3)


@pytest.mark.slow
def test_the_unknown_part_is_learned_beside_the_known_one_while_the_model_moves():
    """Examples follow DATA exp(F + HIDDEN); F is known, the rest is a table to be learned."""
    wanted = DATA * np.exp(F + HIDDEN) / (DATA @ np.exp(F + HIDDEN))

    def batch_of(key):
        keys = jax.random.split(key)
        return {"x": draw_from(DATA)(keys[0]), "example": draw_from(wanted)(keys[1])}

    def divergence(unknown):
        constraint = Constraint(1.0, lambda x: jnp.asarray(F)[x], unknown)
        method = teach(states(), constraint, field="x", examples="example", proposals=512)
        view, _ = train(method, 1500, batch_of)
        f = np.asarray(constraint(view, jnp.arange(8)))
        return stats.entropy(wanted, softmax(np.asarray(view("model", jnp.arange(8))) + f)), f

    without, f = divergence(None)
    np.testing.assert_allclose(f, F)
    with_unknown, f = divergence(Net(Table(), optax.adam(0.05), ema_decay=0.99))
    assert without > 0.2
    assert with_unknown < 0.01


def test_samples_of_the_posterior_follow_it():
    method = states()
    view = view_of(method, init_state(method, KEY, {"x": jnp.zeros(1, int)}))  # p is uniform
    sample = posterior_sampler(Constraint(0.8, lambda x: jnp.asarray(F)[x]), method.sample, proposals=20_000)
    shares = np.bincount(sample(view, KEY, 20_000), minlength=8) / 20_000
    np.testing.assert_allclose(shares, softmax(0.8 * F), atol=0.015)


def test_figures_are_the_constraint_s_mean_under_model_and_posterior():
    method = teach(states(), Constraint(0.8, lambda x: jnp.asarray(F)[x]), field="x")
    batch = {"x": jnp.zeros(20_000, int)}
    figures = method.evaluate(view_of(method, init_state(method, KEY, batch)), batch, KEY)
    assert np.mean(figures["constraint"]) == pytest.approx(F.mean(), abs=0.05)
    assert np.mean(figures["constraint_posterior"]) == pytest.approx(softmax(0.8 * F) @ F, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("regularize", [teach, lambda base, constraint: steer(base, constraint, through="generator")])
def test_a_gan_and_its_constraint_all_move(regularize):
    adam = optax.adam(2e-3, b1=0.5)
    base = gan(
        Net(Generator((8, 8, 1), 4), adam), Net(Discriminator(4), adam), adversarial.non_saturating, prior=normal(2)
    )
    batches = {"image": jax.random.uniform(KEY, (1, 8, 8, 8, 1), minval=-1)}
    unknown = Net(Linear(), optax.adam(1e-3))
    method = regularize(base, Constraint(5.0, lambda x: jnp.mean(x, (1, 2, 3)), unknown))
    state = init_state(method, KEY, jax.tree.map(lambda x: x[0], batches))
    moved, metrics = jax.jit(build_step(method))(state, batches, KEY)
    assert {"critic/loss", "generator/loss", "constraint/loss"} <= metrics.keys()
    assert all(np.isfinite(value) for value in metrics.values())
    for name, net in moved.nets.items():
        changes = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), net.params, state.nets[name].params)
        assert any(jax.tree.leaves(changes)), name


class Shift(nn.Module):
    """Noise moved by a vector that is learned."""

    @nn.compact
    def __call__(self, z, *, train):
        return z + self.param("mean", nn.initializers.zeros, (z.shape[1],))


def test_a_steered_gan_rests_where_discriminator_and_constraint_balance():
    """Data N(0, 1), samples N(w, 1), f(x) = x: a linear discriminator finds log p_data / p = w^2 / 2 - w x exactly,
    and the non-saturating generator rests where w E[1 - sigmoid(w^2 / 2 - w x)] = alpha.
    """
    alpha = 0.3

    def unbalanced(w):
        def integrand(x):
            return stats.norm.pdf(x, w) * special.expit(w * x - w**2 / 2)

        return w * integrate.quad(integrand, -10, 10)[0] - alpha

    base = gan(
        Net(Shift(), optax.sgd(0.05)), Net(Linear(), optax.adam(0.02)), adversarial.non_saturating, prior=normal(1)
    )
    method = steer(base, Constraint(alpha, lambda x: x[:, 0]), through="generator", proposals=2000)
    data = {"image": jax.random.normal(jax.random.key(1), (600, 1, 2000, 1))}
    state, step = init_state(method, KEY, {"image": data["image"][0, 0]}), build_step(method)

    def train(state, batch):
        state, _ = step(state, batch, KEY)
        return state, state.nets["generator"].params["mean"][0]

    _, means = jax.jit(lambda state: jax.lax.scan(train, state, data))(state)
    expected = optimize.brentq(unbalanced, 0.1, 2)
    assert np.mean(means[200:]) == pytest.approx(expected, abs=0.05)


def test_bad_settings_are_refused():
    with pytest.raises(UserError, match="alpha is -1"):
        Constraint(-1.0)
    with pytest.raises(
        UserError, match="through is 'decoder', which no phase of categorical trains; name one of model"
    ):
        steer(states(), Constraint(1.0), through="decoder")
    latents = Latents(
        lambda key, count, batch: {"z": jnp.zeros(count), "label": jnp.zeros(count, int)}, lambda view, z, key: z["z"]
    )
    conditional = Method("conditional", {}, (), dict, latents, dict)
    with pytest.raises(UserError, match="samples of conditional beside other examples' labels, as it is conditional"):
        teach(conditional, Constraint(1.0))
