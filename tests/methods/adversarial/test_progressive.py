"""Growing networks: at alpha 0 they are the old ones, and what is faded is faded from what it was."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment, ExperimentFile
from jaxgen.fitting import fit
from jaxgen.layers.fade import alpha_of, between, blended
from jaxgen.layers.resample import enlarge
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors, regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.progressive import growing, shrunk
from jaxgen.models.adversarial.progan import Critic, Generator
from jaxgen.shipped import find
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.stages import Stage

IMAGES = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype(np.float32)


class Pictures(nn.Module):
    """z to images: a coarse layer, and at 8x8 a finer one faded in."""

    resolution: int

    @nn.compact
    def __call__(self, z, *, train=False):
        image = nn.Dense(16, name="4x4")(z).reshape(-1, 4, 4, 1)
        if self.resolution == 4:
            return image
        old = enlarge(image)
        return between(old, old + nn.Dense(64, name="8x8")(z).reshape(-1, 8, 8, 1), alpha_of(self))


class Judge(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(1)(shrunk(x, 4).reshape(len(x), -1))[:, 0]


def method(resolution, fade_steps, rate=0.1):
    nets = (Net(module, optax.sgd(rate), ema_decay=0.5) for module in (Pictures(resolution), Judge()))
    return growing(gan(*nets, adversarial.non_saturating, prior=priors.normal(2)), resolution, fade_steps=fade_steps)


def test_alpha_is_traced_grows_with_the_stage_s_steps_and_is_kept():
    state, history = fit(method(8, 4), {"image": IMAGES}, steps=6, key=jax.random.key(0), batch_size=4)
    np.testing.assert_allclose(history["generator/alpha"], [0, 0.25, 0.5, 0.75, 1, 1])
    assert state.nets["generator"].variables["fade"]["alpha"] == 1.0
    early, _ = fit(method(8, 4), {"image": IMAGES}, steps=2, key=jax.random.key(0), batch_size=4)
    assert early.nets["generator"].variables["fade"]["alpha"] == 0.25  # what it was last drawn with


def grown(index):
    """A stage of ProGAN, of 4, 8 or 16 pixels."""
    features, adam = (4, 3, 2)[: index + 1], optax.adam(1e-2, b1=0.0)
    game = gan(
        Net(Generator(features), adam),
        Net(Critic(features, group=2), adam),
        adversarial.wasserstein,
        prior=priors.normal(3),
        critic_regularizers=[regularizers.gradient_penalty(10.0)],
    )
    method = growing(game, 4 << index, fade_steps=2 if index else 0)
    return Stage(str(4 << index), method, None if index == 2 else 3)


@pytest.mark.slow
def test_progan_grows_to_8_and_16_pixels_and_each_stage_begins_as_the_one_before():
    """At alpha 0 the carried networks are the old ones: to the bit op by op, to 1e-6 compiled."""
    images, z = np.repeat(np.repeat(IMAGES, 2, 1), 2, 2), IMAGES[:4, 0, :3, 0]
    source = Source("noise", "train", lambda: {"image": images[:1]}, lambda: Memory({"image": images}))
    stages = tuple(grown(index) for index in range(3))
    experiment = Experiment(
        stages=stages, data=Dataset(source, source), schedule=Schedule(9), batch_size=4, seed=0
    )  # fmt: skip
    first, *larger = experiment.trainers(make_mesh(devices=jax.devices()[:1]))
    state = run(first, first.init(), [1, 1, 1])
    for before, trainer in zip((first, *larger), larger, strict=False):
        old, state = state, trainer.begin(state, print)
        small, large = view_of(before.method, old), view_of(trainer.method, state)
        for name in ("generator", "critic"):
            assert set(large.variables[name]) == {"fade"}
            large = large.with_variables(name, {"fade": {"alpha": jnp.zeros(())}})

        def both(small=small, large=large):
            image = small("generator", z)
            of_generators = enlarge(image), large("generator", z)
            return of_generators, (small("critic", image), large("critic", enlarge(image)))

        with jax.disable_jit():
            for expected, found in both():
                np.testing.assert_array_equal(found, expected)
        for expected, found in jax.jit(both)():
            np.testing.assert_allclose(found, expected, atol=1e-6)
        state = run(trainer, state, [0, 0.5, 1])
    assert int(state.step) == 9
    assert stages[2].method.sample(view_of(stages[2].method, state), jax.random.key(0), 2).shape == (2, 16, 16, 1)


def run(trainer, state, alphas):
    """A stage's state after as many steps, in which alpha is seen to be these numbers."""
    data = trainer.batches(0)
    for step, alpha in enumerate(alphas):
        state, metrics = trainer.program(step)(state, next(data), trainer.run_key)
        assert metrics["generator/alpha"][0] == metrics["critic/alpha"][0] == alpha
        assert all(np.isfinite(value).all() for value in metrics.values())
    data.close()
    return state


def test_the_critic_sees_real_images_blended_as_the_generator_s_are():
    coarse = np.repeat(np.repeat(IMAGES.reshape(8, 4, 2, 4, 2, 1).mean((2, 4)), 2, 1), 2, 2)
    for alpha in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(blended(IMAGES, alpha), (1 - alpha) * coarse + alpha * IMAGES, atol=1e-6)
    np.testing.assert_array_equal(shrunk(IMAGES, 8), IMAGES)
    np.testing.assert_allclose(shrunk(IMAGES, 1)[:, 0, 0, 0], IMAGES.mean((1, 2, 3)), atol=1e-6)


@pytest.mark.slow
def test_the_new_layers_hear_nothing_at_alpha_0_and_the_games_see_the_stage_s_resolution():
    state, _ = fit(method(8, 4), {"image": IMAGES}, steps=1, key=jax.random.key(0), batch_size=4)
    new, _ = fit(method(8, 4, rate=0.0), {"image": IMAGES}, steps=1, key=jax.random.key(0), batch_size=4)
    moved = jax.tree.map(
        lambda a, b: float(np.abs(a - b).max()), state.nets["generator"].params, new.nets["generator"].params
    )
    assert moved["8x8"]["kernel"] == 0.0 < moved["4x4"]["kernel"]
    one = method(4, 0)
    state, _ = fit(one, {"image": IMAGES}, steps=1, key=jax.random.key(0), batch_size=4)
    assert one.sample(view_of(one, state), jax.random.key(0), 3).shape == (3, 4, 4, 1)


def test_the_experiment_grows_from_four_pixels_to_the_data_s_or_not_at_all():
    file = ExperimentFile.load(find("progan"))
    plan = file.build(file.config(data="cifar10", steps=103)).plan
    assert [(stage.name, stage.steps) for stage in plan] == [("4x4", 25), ("8x8", 25), ("16x16", 25), ("32x32", 28)]
    (alone,) = file.build(file.config(data="cifar10", steps=103, smallest=32)).plan
    assert (alone.name, alone.steps) == ("32x32", 103)
    with pytest.raises(UserError, match="smallest is 5; choose one of 4, 8, 16, 32"):
        file.build(file.config(data="cifar10", smallest=5))
