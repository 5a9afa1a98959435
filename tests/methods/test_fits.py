"""A network or data of another size than its method is told is one sentence that names both numbers."""

import jax
import methods_table as table
import pytest
from methods_table import Codes, Stairs, Tiny, Topics

from jaxgen.core import Net
from jaxgen.data.source import Dataset
from jaxgen.errors import UserError
from jaxgen.layers.vector_quantizer import FiniteScalarQuantizer
from jaxgen.likelihoods import bernoulli, gaussian
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.methods.adversarial.cyclegan import cyclegan
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.methods.adversarial.policy_gradient import likelihood
from jaxgen.methods.adversarial.ppo import ppo
from jaxgen.methods.adversarial.seqgan import seqgan
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.methods.flow.flow import flow, image_flow
from jaxgen.methods.flow.integer_flow import integer_flow
from jaxgen.methods.latent import priors as priors_of_z
from jaxgen.methods.latent.autoencoder import autoencoder
from jaxgen.methods.latent.hierarchical import hierarchical_vae
from jaxgen.methods.latent.iwae import iwae
from jaxgen.methods.latent.perceptual import perceptual_vae, vae_gan
from jaxgen.methods.latent.topic_model import topic_model
from jaxgen.methods.latent.vae import vae
from jaxgen.methods.latent.vq_vae import code_prior, vq_vae
from jaxgen.models.flow.idf import IDF
from jaxgen.models.latent.priors import MixturePrior
from jaxgen.training.step import init_state


def net(*shape, heads=1):
    return Net(Tiny(shape, heads=heads))


def codes_of_three():
    return Net(FiniteScalarQuantizer((3,)))


ENCODER, DECODER, IMAGES, GAME = net(2, heads=2), net(4, 4, 1, 1), net(4, 4, 1), adversarial.hinge

# name -> a method on a row's data of which something does not fit, and what is said
MISFITS = {
    "encoder of one number, which every latent would share": (
        lambda: vae(net(1, heads=2), DECODER, bernoulli, latent_size=2), "vae",
        "latent_size is 2, but Tiny gives 1;",
    ),
    "encoder of more": (
        lambda: iwae(net(3, heads=2), DECODER, bernoulli, latent_size=2, draws=2), "vae",
        "latent_size is 2, but Tiny gives 3;",
    ),
    "decoder of other images": (
        lambda: vae(ENCODER, net(4, 4, 3, 1), bernoulli, latent_size=2), "vae",
        "the shape of the likelihood's parameters is 4 x 4 x 1 x 1, but Tiny gives 4 x 4 x 3 x 1;",
    ),
    "decoder of one parameter of two": (
        lambda: vae(ENCODER, DECODER, gaussian, latent_size=2), "vae",
        "parameters is 4 x 4 x 1 x 2, but Tiny gives 4 x 4 x 1 x 1;",
    ),
    "prior": (
        lambda: vae(
            ENCODER, DECODER, bernoulli, latent_size=2, prior=priors_of_z.gaussian_mixture(Net(MixturePrior(4, 3)))
        ),
        "vae", "latent_size is 2, but MixturePrior gives 3;",
    ),
    "perceptual": (
        lambda: perceptual_vae(net(1, heads=2), IMAGES, net(3), latent_size=2), "perceptual vae",
        "latent_size is 2, but Tiny gives 1;",
    ),
    "vae-gan": (
        lambda: vae_gan(ENCODER, net(4, 4, 3), net(heads=2), GAME, latent_size=2), "vae-gan",
        "the images' shape is 4 x 4 x 1, but Tiny gives 4 x 4 x 3;",
    ),
    "hierarchical": (
        lambda: hierarchical_vae(Net(table.Seen()), Net(Stairs()), gaussian), "ladder",
        "parameters is 4 x 4 x 1 x 2, but Stairs gives 4 x 4 x 1 x 1;",
    ),
    "documents": (
        lambda: topic_model(net(1, heads=2), Net(Topics()), alpha=(0.5, 0.5)), "topic model",
        "the number of alphas is 2, but Tiny gives 1;",
    ),
    "topics": (
        lambda: topic_model(net(3, heads=2), Net(Topics()), alpha=(0.5,) * 3), "topic model",
        "alphas by words is 3 x 16, but Topics gives 2 x 16;",
    ),
    "autoencoder": (
        lambda: autoencoder(net(3), net(4, 4, 3)), "autoencoder",
        "the number of values in x is 16, but Tiny gives 48;",
    ),
    "vq-vae": (
        lambda: vq_vae(net(2, 2, 1), codes_of_three(), net(4, 4, 3, 1), bernoulli), "vq-vae",
        "the shape of the likelihood's parameters is 4 x 4 x 1 x 1, but Tiny gives 4 x 4 x 3 x 1;",
    ),
    "codes' decoder": (
        lambda: code_prior(net(2, 2, 1), codes_of_three(), DECODER, Net(Codes(3)), gaussian, event=(2, 2, 1)), "vae",
        "the shape of the likelihood's parameters is 4 x 4 x 1 x 2, but Tiny gives 4 x 4 x 1 x 1;",
    ),
    "codes' event": (
        lambda: code_prior(net(2, 2, 1), codes_of_three(), DECODER, Net(Codes(3)), bernoulli, event=(4, 1, 1)), "vae",
        "event is 4 x 1 x 1, but Tiny gives 2 x 2 x 1;",
    ),
    "codes' number": (
        lambda: code_prior(net(2, 2, 1), codes_of_three(), DECODER, Net(Codes(2)), bernoulli, event=(2, 2, 1)), "vae",
        "event by codes is 2 x 2 x 1 x 3, but Codes gives 2 x 2 x 1 x 2;",
    ),
    "generator": (
        lambda: gan(net(2, 8, 1), net(), GAME, prior=priors.normal(3)), "gan",
        "the data's shape is 4 x 4 x 1, but Tiny gives 2 x 8 x 1;",
    ),
    "inverse": (
        lambda: bigan(IMAGES, net(2), net(), GAME, prior=priors.normal(3)), "bigan",
        "the size of the prior's z is 3, but Tiny gives 2;",
    ),
    "translator": (
        lambda: pix2pix(net(4, 4, 3), net(), GAME, weight=1.0), "pix2pix",
        "the targets' shape is 4 x 4 x 1, but Tiny gives 4 x 4 x 3;",
    ),
    "a's translator": (
        lambda: cyclegan(net(4, 4, 3), IMAGES, net()), "cyclegan",
        "the shape of b's images is 4 x 4 x 1, but Tiny gives 4 x 4 x 3;",
    ),
    "b's translator": (
        lambda: cyclegan(IMAGES, net(2, 8, 1), net()), "cyclegan",
        "the shape of a's images is 4 x 4 x 1, but Tiny gives 2 x 8 x 1;",
    ),
    "actor of an action too many": (
        lambda: ppo(net(3), net(), table.world(), environments=8, horizon=5), "ppo",
        "the number of actions is 2, but Tiny gives 3;",
    ),
    "flow": (
        lambda: flow(table.couplings().nets["flow"], event_shape=(3,)), "flow",
        "event_shape is 3, but the field 'x' gives 4;",
    ),
    "image flow": (
        lambda: image_flow(table.pixels().nets["flow"], event_shape=(2, 2, 1)), "image flow",
        "event_shape is 2 x 2 x 1, but the field 'image' gives 4 x 4 x 1;",
    ),
    "integer flow": (
        lambda: integer_flow(Net(IDF(2, (2, 2, 1), couplings=2, scales=1, width=4))), "image flow",
        "event is 2 x 2 x 1, but the field 'image' gives 4 x 4 x 1;",
    ),
    "event": (
        lambda: maximum_likelihood(Net(Codes(2)), event=(2, 8, 1), levels=2), "maximum likelihood",
        "event is 2 x 8 x 1, but the field 'image' gives 4 x 4 x 1;",
    ),
    "levels": (
        lambda: maximum_likelihood(Net(Codes(3)), event=(4, 4, 1), levels=2), "maximum likelihood",
        "event by levels is 4 x 4 x 1 x 2, but Codes gives 4 x 4 x 1 x 3;",
    ),
    "sequences": (
        lambda: likelihood(Net(table.Causal()), length=5), "likelihood",
        "length is 5, but the field 'tokens' gives 4;",
    ),
    "written sequences": (
        lambda: seqgan(Net(Codes(3)), net(), length=5), "seqgan",
        "length is 5, but the field 'tokens' gives 4;",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(MISFITS))
def test_a_misfit_names_both_numbers(name):
    build, row, sentence = MISFITS[name]
    data = table.TABLE[row].data()
    data = data if isinstance(data, Dataset) else table.dataset(data)
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((4, *x.shape), x.dtype), data.spec)
    with jax.enable_x64(True), pytest.raises(UserError, match=sentence):
        jax.eval_shape(lambda key, batch: init_state(build(), key, batch), table.KEY, batch)
