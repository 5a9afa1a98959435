"""The lazy terms of StyleGAN2, what its memory keeps, and images that are distorted as memory says."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile
from jaxgen.latents import truncations
from jaxgen.methods.adversarial.adaptive import MEMORY, adaptive
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.adversarial.stylegan2 import stylegan2
from jaxgen.shipped import find
from jaxgen.training.pace import due_phases
from jaxgen.training.sharding import make_mesh
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)
IMAGES = jax.random.uniform(jax.random.key(1), (16, 4, 4, 1), minval=-1)
BATCH = {"image": IMAGES}


class Generator(nn.Module):
    """One linear map of a w that is 2 z."""

    def setup(self):
        self.map = nn.Dense(16, use_bias=False)
        self.average = self.variable("average", "w", jnp.zeros, (3,))

    def __call__(self, z, *, train, truncation=1.0):
        w = truncation * self.styles(z, train=train)[:, 0] + (1 - truncation) * self.average.value
        return self.synthesis(w[:, None])

    def styles(self, z, *, train):
        return 2 * z[:, None]

    def synthesis(self, styles):
        return self.map(styles[:, 0]).reshape(-1, 4, 4, 1)


class Critic(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(x.reshape(len(x), -1))[:, 0]


def game(**settings):
    sgd = optax.sgd(0.1)
    return stylegan2(Net(Generator(), sgd), Net(Critic(), sgd), prior=normal(3), **settings)


def test_which_phases_are_due_when():
    method = adaptive(game(every=(16, 4)))
    seen = [due_phases(method, step) for step in range(33)]
    assert [i for i, due in enumerate(seen) if "r1" in due] == [0, 16, 32]
    assert [i for i, due in enumerate(seen) if "path" in due] == list(range(0, 33, 4))
    assert all({"critic", "generator"} <= due for due in seen)
    assert len(set(seen)) == 3


def test_the_running_mean_of_lengths_is_kept_and_starts_at_zero():
    method = game()
    state = init_state(method, KEY, BATCH)
    assert state.memory["path_length"] == 0
    step = jax.jit(build_step(method), static_argnums=3)
    state, metrics = step(state, {"image": IMAGES[None]}, KEY, frozenset({"path"}))
    # |A^T y| of y of variance 1/16 a pixel: a length of about |A|_F / 4, of which a hundredth is taken.
    size = float(jnp.sqrt(jnp.sum(state.nets["generator"].params["map"]["kernel"] ** 2))) / 4
    assert 100 * float(state.memory["path_length"]) == pytest.approx(size, rel=0.35)
    assert metrics["path/length"] == state.memory["path_length"]


def test_the_mean_of_w_is_that_of_the_view_s_own_networks():
    method = game()
    view = view_of(method, init_state(method, KEY, BATCH))
    found = method.latents.standing(view, KEY)["generator"]["average"]["w"]
    np.testing.assert_allclose(found, 0, atol=4 * 2 / np.sqrt(10_000))
    assert found.shape == (3,)


def test_samples_are_truncated_in_w_each_by_its_own_share():
    method = game()
    view = view_of(method, init_state(method, KEY, BATCH))
    mean = jnp.array([1.0, -2.0, 0.5])
    view = view.with_variables("generator", {"average": {"w": mean}})
    latents = method.latents.prior(KEY, 2, None)
    found = method.latents.decode(view, truncations([1.0, 0.5, 1e-6], latents, method.latents.truncated), KEY)
    plain = np.asarray(method.latents.decode(view, latents, KEY))[:, None]
    of_mean = np.asarray(mean @ view.params["generator"]["map"]["kernel"]).reshape(1, 1, 4, 4, 1)
    shares = np.array([1.0, 0.5, 1e-6]).reshape(1, 3, 1, 1, 1)
    expected = shares * plain + (1 - shares) * of_mean  # the map is linear
    np.testing.assert_allclose(found, expected.reshape(6, 4, 4, 1), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("logit", "sign"), [(5.0, 1), (-5.0, -1)])
def test_p_rises_while_the_critic_is_sure_and_falls_while_it_is_not(logit, sign):
    method = adaptive(game())
    state = init_state(method, KEY, BATCH)
    assert state.memory[MEMORY] == 0
    sure = {"Dense_0": {"kernel": jnp.zeros((16, 1)), "bias": jnp.full(1, logit)}}
    nets = {**state.nets, "critic": dataclasses.replace(state.nets["critic"], params=sure)}
    view = view_of(method, dataclasses.replace(state, nets=nets, memory={**state.memory, MEMORY: jnp.asarray(0.5)}))
    aux = method.phases[-1].loss(view, BATCH, KEY)[1]
    assert float(aux.memory[MEMORY]) == pytest.approx(0.5 + sign * 4 * 16 / 500e3)
    assert float(aux.metrics["signs"]) == sign


@pytest.mark.slow
@pytest.mark.parametrize(("speed", "after"), [(math.inf, 0.4), (500e3, 0.4 - 4 * 16 / 500e3)])
def test_p_may_begin_anywhere_and_stay_there(speed, after):
    method = adaptive(game(), start=0.4, speed=speed)
    state = init_state(method, KEY, BATCH)
    unsure = jax.tree.map(jnp.zeros_like, state.nets["critic"].params)
    nets = {**state.nets, "critic": dataclasses.replace(state.nets["critic"], params=unsure)}
    aux = method.phases[-1].loss(view_of(method, dataclasses.replace(state, nets=nets)), BATCH, KEY)[1]
    assert float(aux.memory[MEMORY]) == pytest.approx(after)


def test_the_experiment_s_options_are_few_images_and_a_probability_at_first():
    file = ExperimentFile.load(find("stylegan2"))
    found = file.build(file.config(augment="fixed", probability=0.3, few=100))
    assert len(found.data.train) == 100
    assert float(found.method.memory(KEY, BATCH)[MEMORY]) == pytest.approx(0.3)
    assert MEMORY not in file.build(file.config()).method.memory(KEY, BATCH)


@pytest.mark.slow
def test_images_are_distorted_with_the_probability_in_memory():
    method, plain = adaptive(game()), game()
    state = init_state(method, KEY, BATCH)

    def real(method, p):
        view = view_of(method, dataclasses.replace(state, memory={**state.memory, MEMORY: jnp.asarray(p)}))
        return float(method.phases[0].loss(view, BATCH, KEY)[1].metrics["real"])

    assert real(method, 0.0) == pytest.approx(real(plain, 0.0), abs=1e-5)
    assert abs(real(method, 1.0) - real(plain, 0.0)) > 1e-4


@pytest.mark.slow
def test_r1_is_of_the_critic_of_distorted_images_by_the_image_as_it_was():
    """A linear critic has |w|^2 for any image; of one that is distorted first it is |A^T w|^2."""
    method = adaptive(game(gamma=2.0), start=1.0)
    state = jax.jit(lambda: init_state(method, KEY, BATCH))()
    view = view_of(method, state)
    (phase,) = (phase for phase in method.phases if phase.name == "r1")
    weights = np.asarray(view.params["critic"]["Dense_0"]["kernel"])[:, 0]

    @jax.jit
    def loss(p):
        return phase.loss(dataclasses.replace(view, memory={**view.memory, MEMORY: p}), BATCH, KEY)[0]

    plain, distorted = float(loss(0.0)), float(loss(1.0))
    assert plain == pytest.approx(16 * np.sum(weights**2), rel=1e-4)
    assert abs(distorted / plain - 1) > 0.02


@pytest.mark.slow
def test_the_experiment_s_options_make_configuration_f():
    """Which has as many parameters at 1,024 pixels as the authors' program prints."""
    file = ExperimentFile.load(find("stylegan2"))
    sizes = {"data": "imagenet128", "size": 1024, "width": 512, "full_to": 64, "latent_size": 512, "mapping": 8}
    trainer = file.build(file.config(**sizes)).trainer(make_mesh(devices=jax.devices()[:1]))
    found = {name: sum(p.size for p in jax.tree.leaves(net.params)) for name, net in trainer.shapes.nets.items()}
    assert found == {"generator": 30_370_060, "critic": 29_012_513}


def test_maps_without_channels_are_refused():
    file = ExperimentFile.load(find("stylegan2"))
    with pytest.raises(UserError, match="full_to is 1, which leaves maps of 32 pixels no channel"):
        file.build(file.config(data="cifar10", width=8, full_to=1))
