"""What each critic of DVD-GAN sees, what it is blind to, and what the two phases minimize."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen import linen
from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.losses.adversarial import hinge
from jaxgen.methods.adversarial.dvdgan import Critic, all_pooled, dvdgan, some_frames
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.dvdgan import FrameCritic, MotionCritic, VideoGenerator
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
CLIPS = jnp.asarray(RNG.normal(size=(3, 6, 8, 8, 1)).astype(np.float32))
SHUFFLED = CLIPS[:, np.array([3, 0, 5, 1, 4, 2])]
CHECKS = CLIPS + 0.7 * (-1.0) ** (np.add.outer(np.arange(8), np.arange(8))[..., None])


def scores(critic, *clips):
    variables = jax.jit(lambda x: linen.init(critic, KEY, x))(clips[0])
    judge = jax.jit(lambda x: linen.evaluate(critic, variables, (x,), {}))
    return [np.asarray(judge(x)) for x in clips]


def test_frames_are_judged_in_any_order_and_motion_without_detail():
    """So neither critic alone can do: theory says what each must miss."""
    one, other, detailed = scores(FrameCritic(4), CLIPS, SHUFFLED, CHECKS)
    np.testing.assert_allclose(one, other, rtol=1e-5)
    assert np.abs(one - detailed).min() > 1e-3
    pooled = [all_pooled(x, KEY) for x in (CLIPS, SHUFFLED, CHECKS)]
    np.testing.assert_allclose(pooled[0], CLIPS.reshape(3, 6, 4, 2, 4, 2, 1).mean((3, 5)), atol=1e-6)
    one, other, detailed = scores(MotionCritic(4), *pooled)
    np.testing.assert_allclose(one, detailed, rtol=1e-4, atol=1e-6)
    assert np.abs(one - other).min() > 1e-3


def test_some_frames_are_distinct_ones_of_each_clip_evenly_and_in_order():
    numbered = jnp.broadcast_to(jnp.arange(6.0)[None, :, None, None, None], (4000, 6, 1, 1, 1))
    chosen = np.asarray(some_frames(2)(numbered, KEY))[..., 0, 0, 0]
    assert (np.diff(chosen, axis=1) > 0).all()
    pairs = np.bincount((6 * chosen[:, 0] + chosen[:, 1]).astype(int), minlength=36)
    assert (pairs > 0).sum() == 15
    np.testing.assert_allclose(pairs[pairs > 0] / 4000, 1 / 15, atol=0.02)
    with pytest.raises(UserError, match=r"some_frames\(7\) of clips of 6 frames"):
        some_frames(7)(numbered, KEY)


class Mean(nn.Module):
    """A score that is the mean, times a weight."""

    @nn.compact
    def __call__(self, x):
        return self.param("w", nn.initializers.ones, ()) * jnp.mean(x, axis=tuple(range(1, x.ndim)))


class Constant(nn.Module):
    """Clips of one value, whatever z."""

    @nn.compact
    def __call__(self, z):
        return jnp.broadcast_to(self.param("b", nn.initializers.constant(0.25), ()), (len(z), 6, 8, 8, 1))


def test_both_phases_add_the_critics_up():
    net = lambda module: Net(module, optax.sgd(0.1))  # noqa: E731
    critics = {"spatial": Critic(net(Mean()), some_frames(6)), "temporal": Critic(net(Mean()), all_pooled)}
    method = dvdgan(net(Constant()), critics, hinge, prior=normal(2))
    state = init_state(method, KEY, {"video": CLIPS})
    view = view_of(method, state)
    critic, generator = (phase.loss for phase in method.phases)
    mean = np.asarray(CLIPS).mean((1, 2, 3, 4))
    expected = 2 * (np.maximum(0, 1 - mean).mean() + 1.25)
    np.testing.assert_allclose(critic(view, {"video": CLIPS}, KEY)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(generator(view, {"video": CLIPS}, KEY)[0], -2 * 0.25, rtol=1e-5)
    assert [phase.trains for phase in method.phases] == [("spatial", "temporal"), ("generator",)]


def test_a_critic_that_is_left_out_is_not_there():
    net = Net(Mean(), optax.sgd(0.1))
    method = dvdgan(Net(Constant(), optax.sgd(0.1)), {"spatial": Critic(net, all_pooled)}, hinge, prior=normal(2))
    assert method.nets.keys() == {"generator", "spatial"}
    for critics in ({}, {"generator": Critic(net, all_pooled)}):
        with pytest.raises(UserError, match="give at least one, and none named generator"):
            dvdgan(net, critics, hinge, prior=normal(2))


def test_frames_of_a_generated_clip_depend_on_those_before_and_on_z():
    """The state is what frames have in common: through it alone does time pass."""
    generator = VideoGenerator((4, 8, 8, 1), width=4)
    z = jax.random.normal(KEY, (3, 5))
    variables = jax.jit(generator.init)(KEY, z)
    clips = np.asarray(jax.jit(generator.apply)(variables, z))
    assert clips.shape == (3, 4, 8, 8, 1)
    assert np.abs(np.diff(clips, axis=1)).max((0, 2, 3, 4)).min() > 1e-4
    assert np.abs(np.diff(clips, axis=0)).max() > 1e-4
    first = jax.jit(VideoGenerator((2, 8, 8, 1), width=4).apply)(variables, z)
    np.testing.assert_allclose(first, clips[:, :2], atol=1e-5)
