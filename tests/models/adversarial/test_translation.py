"""Translators and critics of patches: the published sizes, what a logit sees, and where noise comes from."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgen.errors import UserError
from jaxgen.layers.resample import ResampledConv
from jaxgen.models.adversarial.translation import PatchCritic, ResNetTranslator, UNet, WithNoise

KEY = jax.random.key(0)


class Nothing(nn.Module):
    """A norm that is none, as an instance's statistics are of all its pixels."""

    def __call__(self, x):
        return x


def parameters(module, *inputs):
    shapes = jax.eval_shape(module.init, KEY, *inputs)["params"]
    return sum(math.prod(x.shape) for x in jax.tree.leaves(shapes))


def test_sizes_are_the_published_ones():
    """Of the authors' networks for 256 pixels: 54.414, 2.769, 2.766 and 11.378 million.

    The last has a bias in front of each norm where ours has the norm's scale and shift: one more a channel, of 5,248.
    """
    images = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    assert parameters(UNet(3), images) == 54_414_531
    assert parameters(PatchCritic(), images, images) == 2_768_705
    assert parameters(PatchCritic(), images) == 2_765_633
    assert parameters(ResNetTranslator(3), images) == 11_378_179 + 5_248


@pytest.mark.quick("0-1", "1-16")
@pytest.mark.parametrize(("layers", "patch"), [(0, 1), (1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_logit_sees_its_patch_and_nothing_else(layers, patch):
    """The Jacobian of one logit in the middle is zero but on so many pixels, in a row and in a column."""
    critic = PatchCritic(layers, width=1, norm=Nothing)
    size = max(patch + 2 * 2**layers, 2 ** (layers + 2))
    x = jax.random.normal(KEY, (1, size, size, 1))
    variables = jax.eval_shape(critic.init, KEY, x)
    variables = jax.tree.map(lambda s: jnp.full(s.shape, 0.1), variables)  # positive: nothing cancels
    logits, pull = jax.vjp(functools.partial(critic.apply, variables), jnp.abs(x))
    (seen,) = pull(jnp.zeros_like(logits).at[0, logits.shape[1] // 2, logits.shape[2] // 2].set(1.0))
    seen = np.asarray(seen[0, ..., 0] != 0)
    assert (seen.any(0).sum(), seen.any(1).sum()) == (patch, patch)
    assert seen.sum() == patch**2


@pytest.mark.quick("PatchCritic")
@pytest.mark.parametrize(
    "module",
    [ResNetTranslator(1, 2, 1), UNet(1, 2, depth=2), PatchCritic(1, 2)],
    ids=lambda module: type(module).__name__,
)
def test_an_image_is_seen_as_if_it_were_alone_in_training_as_ever(module):
    """What others are in a batch is no matter: batches of one are translated as they were learned from."""
    x = jax.random.normal(KEY, (2, 16, 16, 1))

    @jax.jit
    def seen():
        variables = module.init(KEY, x)
        together, (alone,) = (module.apply(variables, each, train=train) for each, train in ((x, True), (x[1:], False)))
        return together[1], alone

    together, alone = seen()
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_doubling_leaves_no_checkerboard():
    """A level map is level still, whatever the kernel, but at edges; a transposed convolution makes a pattern of it."""

    @jax.jit
    def doubled():
        level = jnp.ones((1, 8, 8, 1))
        layers = ResampledConv(1, (3, 3), resample="up"), nn.ConvTranspose(1, (3, 3), (2, 2))
        return [layer.init_with_output(KEY, level)[0][0, 3:-3, 3:-3, 0] for layer in layers]

    ours, transposed = doubled()
    assert np.ptp(ours) < 1e-5
    assert np.ptp(transposed) > 0.1


def test_pairs_are_judged_as_pairs():
    critic = PatchCritic(1, width=4)
    x, y = jax.random.normal(KEY, (2, 1, 16, 16, 3))
    variables, judge = jax.jit(critic.init)(KEY, x, y), jax.jit(critic.apply)
    assert np.abs(judge(variables, x, y) - judge(variables, y, x)).max() > 1e-3


@pytest.fixture(scope="module")
def unet():
    module = UNet(2, width=4, depth=3)
    x = jax.random.normal(KEY, (2, 8, 16, 3))
    return module, x, jax.jit(module.init)(KEY, x)


@pytest.mark.slow
def test_dropout_is_the_u_net_s_noise_in_training_and_in_sampling(unet):
    module, x, variables = unet
    run = jax.jit(lambda key, train: module.apply(variables, x, train=train, rngs={"dropout": key}), static_argnums=1)
    assert run(KEY, True).shape == (2, 8, 16, 2)
    for train in (True, False):
        assert np.abs(run(KEY, train) - run(jax.random.key(1), train)).max() > 1e-3
        np.testing.assert_array_equal(run(KEY, train), run(KEY, train))
    quiet = jax.jit(module.apply)
    np.testing.assert_array_equal(quiet(variables, x), quiet(variables, x))


def test_edges_pass_by_the_u_net_s_middle(unet):
    """With the way through the middle cut, the result still follows the image."""
    module, x, variables = unet
    cut = jax.tree.map(jnp.copy, variables)
    cut["params"]["up_2"]["transposed_kernel"] *= 0
    translate = jax.jit(module.apply)
    assert np.abs(translate(cut, x) - translate(cut, x[::-1])).max() > 1e-3


@pytest.mark.slow
def test_a_middle_of_one_pixel_is_not_normalized_away():
    module = UNet(1, width=4, depth=3)
    x = jax.random.normal(KEY, (1, 8, 8, 1))
    variables = jax.jit(module.init)(KEY, x)
    gradient = jax.jit(jax.grad(lambda p: module.apply({"params": p}, x).var()))(variables["params"])
    assert np.abs(gradient["down_2"]["kernel"]).max() > 0


def test_what_cannot_be_halved_is_refused():
    with pytest.raises(UserError, match=r"12x8 pixels cannot be halved depth=3 times; .* multiple of 8"):
        UNet(1, depth=3).init(KEY, jnp.zeros((1, 12, 8, 1)))
    with pytest.raises(UserError, match=r"10x8 pixels .* multiple of 4"):
        ResNetTranslator(1).init(KEY, jnp.zeros((1, 10, 8, 1)))


@pytest.mark.slow
def test_the_translator_reflects_its_edges():
    """A constant picture stays constant: nothing in the result says where the image ends, as zeros around it would."""
    module = ResNetTranslator(1, width=4, blocks=1)
    x = jax.random.normal(KEY, (1, 16, 16, 1))
    variables = jax.jit(module.init)(KEY, x)
    assert jax.jit(module.apply)(variables, x).shape == x.shape
    _, seen = module.apply(variables, jnp.ones_like(x), capture_intermediates=lambda m, _: m.name == "first")
    first = seen["intermediates"]["first"]["__call__"][0]
    everywhere = np.broadcast_to(np.asarray(variables["params"]["first"]["kernel"]).sum((0, 1, 2)), first.shape)
    np.testing.assert_allclose(first, everywhere, atol=1e-5)


class Same(nn.Module):
    def __call__(self, x, *, train):
        return x


def test_noise_is_one_channel_more():
    x, z = jax.random.normal(KEY, (2, 4, 8, 3)), jax.random.normal(KEY, (2, 5))
    shown, variables = WithNoise(Same()).init_with_output(KEY, x, z)
    noise = variables["params"]["noise"]
    np.testing.assert_array_equal(shown[..., :3], x)
    np.testing.assert_allclose(shown[..., 3].reshape(2, -1), z @ noise["kernel"] + noise["bias"], rtol=1e-5, atol=1e-6)
