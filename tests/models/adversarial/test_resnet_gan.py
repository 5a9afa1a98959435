"""Residual GANs: parameters counted by hand and by their authors, where labels and latents come in, and attention."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgen.errors import UserError
from jaxgen.models.adversarial import biggan, resnet_gan, sagan
from jaxgen.models.adversarial.conditional import WithLabel
from jaxgen.models.adversarial.dcgan import Discriminator, Generator

LABELS = jnp.asarray([0, 3])


class Identity(nn.Module):
    """Shows what a network is given."""

    def __call__(self, x, *, train):
        return x


def shapes(module, *args):
    return jax.eval_shape(functools.partial(module.init_with_output, train=True), jax.random.key(0), *args)


def count(module, *args):
    return sum(leaf.size for leaf in jax.tree.leaves(shapes(module, *args)[1]["params"]))


def test_sngan_s_parameters_by_hand():
    """Table 4's networks; no bias in front of a batch normalization."""
    up = (9 * 256 * 256 + 9 * 256 * 256 + 256) + (256 * 256 + 256) + 2 * 2 * 256  # two 3x3, 1x1, two normalizations
    generator = (128 * 16 * 256 + 16 * 256) + 3 * up + 2 * 256 + (9 * 256 * 3 + 3)
    assert count(resnet_gan.Generator(), jnp.zeros((2, 128))) == generator
    conv, shortcut = 9 * 128 * 128 + 128, 128 * 128 + 128
    first = (9 * 3 * 128 + 128) + conv + (3 * 128 + 128)
    discriminator = first + (2 * conv + shortcut) + 2 * 2 * conv + 128 + 1
    assert count(resnet_gan.Discriminator(), jnp.zeros((2, 32, 32, 3))) == discriminator


@pytest.mark.quick("64-*")
@pytest.mark.parametrize(
    ("width", "generator", "discriminator"), [(64, 31_850_628, 39_448_258), (96, 70_305_988, 87_982_370)]
)
def test_biggan_s_parameters_are_the_published_ones(width, generator, discriminator):
    """What the authors' release counts at 128x128, in sum 71.3 and 158.3 million in the paper's table 1.

    It leaves out the shared embedding, and has a bias in front of each block's second normalization.
    """
    embedding, biases = 1000 * 128, width * (16 + 8 + 4 + 2 + 1)
    z = jnp.zeros((2, biggan.latent_size(128)))
    assert z.shape[1] == 120
    assert count(biggan.Generator(width=width), z, LABELS) == generator + embedding - biases
    assert count(biggan.discriminator(128, width=width), jnp.zeros((2, 128, 128, 3)), LABELS) == discriminator


@pytest.mark.quick("32-*")
@pytest.mark.parametrize(("size", "latent", "attends"), [(32, 80, False), (64, 100, True), (256, 140, True)])
def test_biggan_of_other_sizes(size, latent, attends):
    z = jnp.zeros((2, biggan.latent_size(size)))
    assert z.shape[1] == latent
    images, variables = shapes(biggan.Generator((size, size, 3), 10, 8), z, LABELS)
    assert images.shape == (2, size, size, 3)
    logits, judging = shapes(biggan.discriminator(size, 10, 8), images, LABELS)
    assert logits.shape == (2,)
    for params in (variables["params"]["trunk"], judging["params"]):
        assert ("attention" in params) == attends


def test_biggan_refuses_other_sizes():
    with pytest.raises(UserError, match="image size 48: BigGAN has blocks for 32, 64, 128, 256"):
        biggan.discriminator(48)


@pytest.mark.slow
def test_every_chunk_of_biggan_s_latent_and_the_label_reach_the_image(monkeypatch):
    monkeypatch.setitem(biggan._BLOCKS, 16, biggan._BLOCKS[32]._replace(generator=(4, 4, 4)))  # quicker to compile
    generator = biggan.Generator((16, 16, 3), classes=4, width=1, embedding=4)
    z = jnp.asarray(np.random.default_rng(0).normal(size=(2, biggan.latent_size(16))), jnp.float32)
    weights = np.random.default_rng(1).normal(size=(2, 16, 16, 3))
    variables = jax.jit(functools.partial(generator.init, train=True))(jax.random.key(0), z, LABELS)
    for kernel in jax.tree.leaves(variables["params"]):
        if kernel.ndim == 4:
            matrix = kernel.reshape(-1, kernel.shape[-1])
            np.testing.assert_allclose(np.linalg.svd(matrix)[1], 1, atol=1e-4)  # orthogonal

    @jax.jit
    @functools.partial(jax.grad, argnums=(0, 1), has_aux=True)
    def slopes(params, z):
        state = {**variables, "params": params}
        images, moved = generator.apply(state, z, LABELS, train=True, mutable=["batch_stats", "spectral"])
        return jnp.vdot(images, weights), (images, moved)

    (by_params, by_z), (images, moved) = slopes(variables["params"], z)
    assert jnp.abs(images).max() <= 1
    assert (jnp.abs(by_z.reshape(2, 3, biggan.CHUNK)).max(2) > 1e-3).all()
    by_label = jnp.abs(by_params["embed"]["embedding"]).max(1)
    np.testing.assert_array_equal(by_label > 1e-3, [True, False, False, True])
    np.testing.assert_array_equal(by_label > 0, [True, False, False, True])
    assert moved.keys() == {"batch_stats", "spectral"}


def test_the_projection_is_an_inner_product_with_what_the_logit_sees():
    """With the identity for its table of vectors, the labels' logits show each channel of the summed map."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 8, 8, 1)), jnp.float32)
    labels = jnp.arange(4)
    module = resnet_gan.Discriminator((4, 4), halvings=1, classes=4)
    variables = jax.jit(lambda key: module.init(key, x, labels[:1], train=True))(jax.random.key(0))
    variables["params"]["embed"]["embedding"] = jnp.eye(4)
    variables["params"]["logit"]["bias"] = jnp.ones(1)

    @jax.jit
    def logits(variables):
        plain = resnet_gan.Discriminator((4, 4), halvings=1)
        kept = {name: {k: v for k, v in group.items() if k != "embed"} for name, group in variables.items()}
        return module.apply(variables, x.repeat(4, 0), labels, train=True), plain.apply(kept, x, train=True)

    by_label, unconditional = logits(variables)
    channels = by_label - unconditional
    kernel = variables["params"]["logit"]["kernel"][:, 0]
    np.testing.assert_allclose(unconditional, channels @ kernel / np.linalg.norm(kernel) + 1, rtol=1e-4)
    assert (channels >= -1e-5).all()  # sums of what a ReLU let through
    assert channels.max() > 0.1


def test_sagan_doubles_its_width_and_attends_where_it_is_told():
    images, variables = shapes(sagan.generator((32, 32, 1), 8, 10, attention=16), jnp.zeros((2, 16)), LABELS)
    trunk = variables["params"]["trunk"]
    assert images.shape == (2, 32, 32, 1)
    assert [trunk[f"up_{i}"]["conv_1"]["kernel"].shape[-1] for i in range(3)] == [32, 16, 8]
    assert trunk["attention"]["query"]["kernel"].shape == (1, 1, 16, 2)
    assert set(variables["spectral"]["trunk"]) == {
        "project",
        "up_0",
        "up_1",
        "up_2",
        "attention",
        "image",
    }
    _, judging = shapes(sagan.discriminator(32, 8, 10, attention=16), images, LABELS)
    assert judging["params"]["attention"]["query"]["kernel"].shape == (1, 1, 8, 1)


def test_a_size_that_no_map_has_is_refused():
    with pytest.raises(UserError, match="attention is 4; the maps have sides 32, 16, 8"):
        shapes(sagan.generator((32, 32, 1), 8, attention=4), jnp.zeros((2, 16)))
    with pytest.raises(UserError, match="attention is 32; the maps have sides 16, 8, 4"):
        shapes(sagan.discriminator(32, 8, attention=32), jnp.zeros((2, 32, 32, 1)))
    with pytest.raises(UserError, match="widths are 3; 32x32 images need 4"):
        shapes(resnet_gan.Generator(widths=(8, 8, 8)), jnp.zeros((2, 16)))


def test_a_network_takes_its_label_as_channels():
    z = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5)), jnp.float32)
    module = WithLabel(Identity(), 4)
    seen = module.apply({}, z, LABELS, train=True)
    np.testing.assert_array_equal(seen, np.concatenate([z, np.eye(4)[np.asarray(LABELS)]], 1))
    images, variables = shapes(WithLabel(Generator((16, 16, 3), 8), 4), z, LABELS)
    assert variables["params"]["network"]["project"]["kernel"].shape[0] == 5 + 4
    _, variables = shapes(WithLabel(Discriminator(8), 4), images, LABELS)
    assert variables["params"]["network"]["down_0"]["kernel"].shape[2] == 3 + 4
