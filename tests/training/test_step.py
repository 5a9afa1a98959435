"""The engine against closed forms: who moves, on which batch, with which noise, on how many devices."""

import dataclasses
import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgen import target
from jaxgen.core import Aux, Method, Net, Phase, view_of
from jaxgen.errors import UserError
from jaxgen.likelihoods import bernoulli
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.flow.flow import image_flow
from jaxgen.methods.latent.vae import vae
from jaxgen.models.adversarial import dcgan
from jaxgen.models.flow.glow import glow
from jaxgen.models.latent.vae import ConvDecoder, ConvEncoder
from jaxgen.training.pace import due_phases
from jaxgen.training.sharding import batch_sharding, make_mesh, placement, replicated, shardings_of
from jaxgen.training.step import build_step, compile_step, init_state

KEY, SGD = jax.random.key(0), optax.sgd(0.01)


class Point(nn.Module):
    """A single parameter w, starting at `start`."""

    start: float = 0.0

    @nn.compact
    def __call__(self):
        return self.param("w", lambda key: jnp.asarray(self.start))


def descend(optimizer, *, phases=None, ema_decay=None, **phase):
    """Gradient descent on (w - mean(x))²/2 for the network "a", beside a second network "b"."""

    def loss(view, batch, key):
        return jnp.mean((view("a") - batch["x"]) ** 2) / 2, Aux({"b": view("b")})

    phases = phases or (Phase("a", ("a",), loss, **phase),)
    nets = {"a": Net(Point(), optimizer, ema_decay), "b": Net(Point(3.0), optimizer)}

    def init(modules, key, batch):
        return {name: module.init(key) for name, module in modules.items()}

    return Method("descent", nets, phases, init, None, lambda view, batch, key: {"x": batch["x"]})


def run(method, batches, steps=1, key=KEY):
    first = jax.tree.map(lambda x: x[0], batches)
    state = init_state(method, KEY, first)
    step = jax.jit(build_step(method))
    for _ in range(steps):
        state, metrics = step(state, batches, key)
    return state, metrics


def test_only_the_networks_a_phase_trains_move():
    state, metrics = run(descend(optax.sgd(0.5)), {"x": jnp.full((1, 4), 2.0)})
    assert state.nets["a"].params["w"] == 1.0  # 0 - 0.5 · (0 - 2)
    assert state.nets["b"].params["w"] == 3.0
    assert metrics["a/loss"] == 2.0
    assert metrics["a/grad_norm"] == 2.0
    assert state.step == 1


def test_the_norm_of_a_phase_is_that_of_all_it_trains():
    def loss(view, batch, key):
        return jnp.mean((view("a") - batch["x"]) ** 2) / 2 - 3 * view("b"), Aux()

    _, metrics = run(descend(optax.sgd(0.5), phases=(Phase("a+b", ("a", "b"), loss),)), {"x": jnp.full((1, 4), 2.0)})
    assert metrics == {"a+b/loss": 2.0 - 9.0, "a+b/grad_norm": pytest.approx(13.0**0.5)}


def test_each_repeat_sees_a_fresh_batch():
    batches = {"x": jnp.array([[1.0], [10.0], [100.0]])}
    state, metrics = run(descend(optax.sgd(0.5), repeats=3), batches)
    w = 0.0
    for x in (1.0, 10.0, 100.0):
        w -= 0.5 * (w - x)
    assert state.nets["a"].params["w"] == w
    assert metrics["a/loss"] == (5.25 - 100.0) ** 2 / 2  # of the last repeat


def test_accumulation_averages_over_micro_batches():
    batches = {"x": jnp.arange(8.0)[None]}
    whole, _ = run(descend(optax.sgd(0.5)), batches)
    parts, metrics = run(descend(optax.sgd(0.5), accumulate=4), batches)
    chex.assert_trees_all_close(whole.nets["a"].params, parts.nets["a"].params, rtol=1e-6)
    np.testing.assert_allclose(metrics["a/loss"], np.mean(np.arange(8.0) ** 2) / 2, rtol=1e-6)


def test_the_average_follows_its_recursion():
    state, _ = run(descend(optax.sgd(0.5), ema_decay=0.9), {"x": jnp.full((1, 1), 2.0)}, steps=3)
    w = ema = 0.0
    for _ in range(3):
        w -= 0.5 * (w - 2.0)
        ema = 0.9 * ema + 0.1 * w
    np.testing.assert_allclose(state.nets["a"].ema["w"], ema, rtol=1e-6)
    assert state.nets["b"].ema is None
    method = descend(optax.sgd(0.5), ema_decay=0.9)
    view = view_of(method, state)
    assert view.averaged()("a") == state.nets["a"].ema["w"] != view("a")
    assert view.averaged()("b") == 3.0


def noisy(repeats=1, accumulate=1):
    """Two phases that report the noise they were given, one number per micro-batch in the collection "seen"."""

    class Seen(nn.Module):
        @nn.compact
        def __call__(self, noise):
            seen = self.variable("log", "seen", jnp.zeros, (12,))
            count = self.variable("log", "count", jnp.zeros, (), jnp.int32)
            seen.value = seen.value.at[count.value].set(noise)
            count.value += 1
            return self.param("w", nn.initializers.zeros, ())

    def loss_of(name):
        def loss(view, batch, key):
            w, moved = view.train(name, jax.random.uniform(key), key=key)
            return w**2, Aux(variables={name: moved})

        return loss

    nets = {name: Net(Seen(), optax.sgd(0.1)) for name in "ab"}
    phases = tuple(Phase(name, (name,), loss_of(name), repeats, accumulate=accumulate) for name in "ab")

    def init(modules, key, batch):
        def zero(variables):
            return {**variables, "log": jax.tree.map(jnp.zeros_like, variables["log"])}

        return {name: zero(module.init(key, 0.0)) for name, module in modules.items()}

    return Method("noisy", nets, phases, init, None, lambda view, batch, key: {})


def test_noise_differs_by_step_phase_repeat_and_micro_batch_and_not_by_restart():
    method = noisy(repeats=3, accumulate=2)
    batches = {"x": jnp.zeros((3, 4))}
    state, _ = run(method, batches, steps=2)
    seen = [float(x) for name in "ab" for x in state.nets[name].variables["log"]["seen"]]
    assert len(set(seen)) == 2 * 12  # 2 phases of 2 steps · 3 repeats · 2 micro-batches
    once, _ = run(method, batches, steps=1)
    again, _ = jax.jit(build_step(method))(once, batches, KEY)  # a process that begins at step 1
    chex.assert_trees_all_equal(state, again)
    other, _ = run(method, batches, steps=2, key=jax.random.key(1))
    assert not set(seen) & {float(x) for x in other.nets["a"].variables["log"]["seen"]}


class Generator(nn.Module):
    @nn.compact
    def __call__(self, z, *, train):
        x = nn.Dense(16, use_bias=False)(z)
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        return nn.tanh(nn.Dense(4)(x)).reshape(-1, 2, 2, 1)


class Critic(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Dense(16, use_bias=False)(x.reshape(x.shape[0], -1))
        x = nn.leaky_relu(nn.BatchNorm(use_running_average=not train)(x), 0.2)
        return nn.Dense(1)(x)[:, 0]


def small_gan(accumulate=1):
    optimizer = optax.sgd(0.05, momentum=0.5)
    method = gan(
        Net(Generator(), optimizer, ema_decay=0.9),
        Net(Critic(), optimizer),
        adversarial.non_saturating,
        prior=normal(3),
        critic_steps=3,
    )
    phases = tuple(dataclasses.replace(phase, accumulate=accumulate) for phase in method.phases)
    return dataclasses.replace(method, phases=phases)


IMAGES = {"image": np.random.default_rng(0).uniform(-1, 1, (1, 3, 16, 2, 2, 1)).astype(np.float32)}  # [call, step, ...]


def compiled(method, batches, devices):
    """(initial state, batches, key, compiled call) of batches `[call, batches a step, batch, ...]` on some devices."""
    mesh, first = make_mesh(devices=jax.devices()[:devices]), jax.tree.map(lambda x: x[0, 0], batches)
    batches = jax.device_put(batches, batch_sharding(mesh, leading_axes=2))
    state = jax.jit(lambda key: init_state(method, key, first), out_shardings=replicated(mesh))(KEY)
    shardings = shardings_of(state)
    key = jax.device_put(KEY, replicated(mesh))
    due = [due_phases(method, 0)] * len(jax.tree.leaves(batches)[0])
    call = compile_step(build_step(method, placement(mesh, shardings)), mesh, shardings, due)
    return state, batches, key, call.lower(state, batches, key).compile()


@functools.cache
def compiled_gan(devices, accumulate=1, steps_per_call=1):
    """Compiled once for all tests; pass the call a copy of the state."""
    return compiled(small_gan(accumulate), {"image": np.repeat(IMAGES["image"], steps_per_call, 0)}, devices)


def steps_of(count, state, batches, key, call):
    state, rows = jax.tree.map(jnp.copy, state), []
    for _ in range(count):
        state, metrics = call(state, batches, key)
        rows.append(metrics)
    return state, jax.tree.map(lambda *x: jnp.concatenate(x), *rows)


def steps_of_gan(count, **how):
    return steps_of(count, *compiled_gan(**how))


def test_four_devices_compute_what_one_does():
    chex.assert_trees_all_close(
        *[jax.device_get(steps_of_gan(5, devices=devices)) for devices in (1, 4)], rtol=1e-5, atol=1e-5
    )


def dcgan_on_images():
    generator = Net(dcgan.Generator((8, 8, 1), 4), optax.sgd(10.0))  # whose gradients are small: its weights are
    return gan(generator, Net(dcgan.Discriminator(4), SGD), adversarial.non_saturating, prior=normal(3))


def convolutional_vae():
    return vae(Net(ConvEncoder(3, 4), SGD), Net(ConvDecoder((8, 8, 1), 4), SGD), bernoulli, latent_size=3)


def small_glow():
    return image_flow(Net(glow(1, 1, 4), SGD, ema_decay=0.9), event_shape=(8, 8, 1), levels=2)


@pytest.mark.quick("convolutional_vae")
@pytest.mark.parametrize("make", [dcgan_on_images, pytest.param(convolutional_vae, marks=pytest.mark.slow), small_glow])
def test_convolutions_normalizations_and_flows_are_on_four_devices_what_they_are_on_one(make):
    """At the third step's end; single precision rounds sums over a batch as their order goes."""
    images = {"image": np.random.default_rng(0).integers(0, 2, (1, 1, 16, 8, 8, 1)).astype(np.float32)}
    one, four = [jax.device_get(steps_of(3, *compiled(make(), images, devices))) for devices in (1, 4)]
    chex.assert_trees_all_close(four, one, rtol=1e-5, atol=1e-5)
    before = jax.device_get(init_state(make(), KEY, {"image": images["image"][0, 0]}).nets)
    for name, net in one[0].nets.items():
        moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), net.params, before[name].params)
        assert max(jax.tree.leaves(moved)) > 1e-3


def test_several_steps_in_one_call_are_the_same_steps():
    one_by_one, together = steps_of_gan(4, devices=1), steps_of_gan(1, devices=1, steps_per_call=4)
    chex.assert_trees_all_close(one_by_one, together, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_data_parallelism_reduces_gradients_and_gathers_nothing(accumulate):
    *_, call = compiled_gan(devices=4, accumulate=accumulate)
    assert "all-reduce" in call.as_text()
    assert "all-gather" not in call.as_text()


def test_an_embedding_s_micro_batches_on_four_devices_add_up_to_the_batch():
    """To the last bit, as cotangents are whole numbers; see `tests/aot/test_accumulation.py` for what TPUs do."""
    rng = np.random.default_rng(0)
    batch = {"label": rng.integers(0, 7, 64, np.int32), "up": rng.integers(-9, 9, (64, 3)).astype(np.float32)}
    state, _ = steps_of(1, *compiled(looking_up(), jax.tree.map(lambda x: x[None, None], batch), devices=4))
    expected = np.zeros((7, 3), np.float32)
    np.subtract.at(expected, batch["label"], batch["up"])  # a step of 4 along the mean of four sums
    np.testing.assert_array_equal(state.nets["table"].params["embedding"], expected)


def test_compilers_for_accelerators_cannot_see_that_embeddings_are_accumulated_and_nothing_else_is_hidden():
    example = {"label": jnp.zeros((1, 8), jnp.int32), "up": jnp.zeros((1, 8, 3)), "x": jnp.zeros((1, 8))}
    for platform, method, hidden in [
        ("tpu", looking_up(), True),
        ("cpu", looking_up(), False),
        ("tpu", descend(SGD, accumulate=4), False),
    ]:
        state = init_state(method, KEY, jax.tree.map(lambda x: x[0], example))
        with target.tracing_for(platform):
            traced = jax.make_jaxpr(build_step(method))(state, example, KEY)
        assert ("optimization_barrier" in str(traced)) == hidden


def looking_up():
    """Rows of a table along what comes from above, in four micro-batches."""

    def loss(view, batch, key):
        return jnp.sum(view("table", batch["label"]) * batch["up"]), Aux()

    def init(modules, key, batch):
        return {"table": modules["table"].init(key, batch["label"])}

    phase = Phase("fit", ("table",), loss, accumulate=4)
    table = nn.Embed(7, 3, embedding_init=nn.initializers.zeros)
    return Method("look up", {"table": Net(table, optax.sgd(4.0))}, (phase,), init, None, lambda *_: {})


def test_the_state_is_donated_and_another_shape_is_refused_instead_of_retraced():
    state, batches, key, call = compiled_gan(devices=1)
    state = jax.tree.map(jnp.copy, state)
    with pytest.raises(TypeError, match="compiled"):
        call(state, {"image": batches["image"][:, :, :8]}, key)
    call(state, batches, key)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.nets["generator"].params))


def test_gradient_norms_are_computed_in_reported_steps_alone_and_training_is_the_same():
    state, batches, key, _ = compiled_gan(devices=1)
    every, second = [
        jax.jit(build_step(small_gan(), reports=lambda state, n=n: (state.step + 1) % n == 0)) for n in (1, 2)
    ]
    once = jax.tree.map(lambda x: x[0], batches)
    for factor in (0, 1):  # of the norms at steps 1 and 2
        (expected, full), (state, metrics) = every(state, once, key), second(state, once, key)
        chex.assert_trees_all_close(state, expected, rtol=1e-6, atol=1e-7)
        norms = {name: factor * full[name] for name in ("generator/grad_norm", "critic/grad_norm")}
        chex.assert_trees_all_close(metrics, full | norms, rtol=1e-5, atol=1e-6)


def test_statistics_move_only_in_the_phase_that_returns_them():
    before, batches, key, _ = compiled_gan(devices=1)
    method = small_gan()
    critic_alone = dataclasses.replace(method, phases=method.phases[:1])
    after, _ = jax.jit(build_step(critic_alone))(before, jax.tree.map(lambda x: x[0], batches), key)
    chex.assert_trees_all_equal(after.nets["generator"], before.nets["generator"])
    means = [state.nets["critic"].variables["batch_stats"]["BatchNorm_0"]["mean"] for state in (before, after)]
    assert jnp.abs(means[0] - means[1]).min() > 0


def test_an_nnx_module_joins_through_the_bridge():
    class Line(nnx.Module):
        def __init__(self, rngs):
            self.layer = nnx.Linear(1, 1, rngs=rngs)

        def __call__(self, x):
            return self.layer(x)

    def loss(view, batch, key):
        return jnp.mean((view("line", batch["x"]) - (2 * batch["x"] + 1)) ** 2), Aux()

    method = Method(
        "regression",
        {"line": Net(nnx.bridge.to_linen(Line), optax.sgd(0.5))},
        (Phase("line", ("line",), loss),),
        lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
        None,
        lambda view, batch, key: {},
    )
    x = np.random.default_rng(0).uniform(-1, 1, (1, 32, 1)).astype(np.float32)
    state, _ = run(method, {"x": x}, steps=100)
    np.testing.assert_allclose(view_of(method, state)("line", jnp.array([[3.0]])), [[7.0]], atol=1e-3)


def test_mistakes_in_a_method_are_sentences():
    optimizer = optax.sgd(0.1)
    loss = descend(optimizer).phases[0].loss
    cases = [
        ((Phase("c", ("c",), loss),), "no network is named 'c'; there are a, b"),
        ((Phase("a", ("a",), loss), Phase("a", ("a",), loss)), "two are named 'a'"),
        ((Phase("a", ("a",), loss, repeats=0),), "repeats is 0 in phase 'a'"),
    ]
    for phases, message in cases:
        with pytest.raises(UserError, match=message):
            build_step(descend(optimizer, phases=phases))
    with pytest.raises(UserError, match="'a' is frozen; give its Net an optimizer"):
        build_step(descend(None))
    with pytest.raises(UserError, match="batch_size 3 is not divisible by accumulate 2"):
        run(descend(optimizer, accumulate=2), {"x": jnp.zeros((1, 3))})
    with pytest.raises(UserError, match=r"x has shape \(1, 4\), but a step of this .* takes leaves \[2, batch, ...\]"):
        run(descend(optimizer, repeats=2), {"x": jnp.zeros((1, 4))})


def test_variables_that_no_network_has_are_a_sentence():
    def loss(view, batch, key):
        return loss_of_a(view, batch, key)[0], Aux({}, {"wrong": {"batch_stats": {}}})

    method = descend(optax.sgd(0.1))
    loss_of_a = method.phases[0].loss
    with pytest.raises(UserError, match="the loss of phase 'a' returns wrong/batch_stats, which is not among"):
        run(dataclasses.replace(method, phases=(Phase("a", ("a",), loss),)), {"x": jnp.zeros((1, 4))})
