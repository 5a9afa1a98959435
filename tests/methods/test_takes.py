"""What each method says it takes of the data, against what it is seen to read (FAULTS 1)."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import methods_table as table
import numpy as np
import pytest

from jaxgen.bijectors.compose import Chain
from jaxgen.core import view_of
from jaxgen.data.check import check_declarations, check_examples
from jaxgen.data.source import Dataset
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED, UNIT, Field
from jaxgen.likelihoods import bernoulli, discretized_logistic
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.acgan import acgan
from jaxgen.methods.adversarial.adda import adda, pretraining
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.methods.adversarial.infogan import category, infogan
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.methods.adversarial.stylegan2 import stylegan2
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.methods.flow.flow import image_flow
from jaxgen.methods.knowledge.posterior_regularization import Constraint, steer
from jaxgen.methods.latent.vae import vae
from jaxgen.methods.latent.vq_vae import code_prior
from jaxgen.methods.side_by_side import side_by_side
from jaxgen.models.adversarial.heads import Heads
from jaxgen.training.step import init_state

tiny, make, signed, Row = table.tiny, table.make, table.signed, table.Row
GREYS = discretized_logistic(3)


class Styled(nn.Module):
    """A generator in two halves, as StyleGAN2 asks for."""

    def setup(self):
        self.map = nn.Dense(16)

    def __call__(self, z, *, train):
        return self.synthesis(self.styles(z, train=train))

    def styles(self, z, *, train):
        return z[:, None]

    def synthesis(self, styles):
        return self.map(styles[:, 0]).reshape(-1, 4, 4, 1)


class Trunk(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(4)(x.reshape(len(x), -1))


class Symbols(nn.Module):
    """An autoregressive model of independent symbols."""

    levels: int

    @nn.compact
    def __call__(self, x):
        logits = self.param("logits", nn.initializers.zeros, (*x.shape[1:], self.levels))
        return jnp.broadcast_to(logits, (*x.shape, self.levels))

    def log_prob(self, x):
        chosen = jnp.take_along_axis(jax.nn.log_softmax(self(x)), x.astype(int)[..., None], -1)
        return jnp.sum(chosen, axis=range(1, chosen.ndim))


def critic(**outputs):
    return make(Heads(Trunk(), outputs))


def translated():
    arrays = signed()
    return {"image": arrays["image"], "target": -arrays["image"]}


def coded_prior():
    quantizer = table.coded().nets["quantizer"]
    return code_prior(tiny(2, 2, 3), quantizer, tiny(4, 4, 1, 1), make(Symbols(4)), bernoulli, event=(2, 2, 1))


PLAY, PRIOR = adversarial.non_saturating, priors.normal(3)
ROWS = {
    **table.TABLE,
    "ac-gan": Row(lambda: acgan(tiny(4, 4, 1), critic(label=2), PLAY, prior=PRIOR, classes=2), signed),
    "infogan": Row(lambda: infogan(tiny(4, 4, 1), critic(c=3), PLAY, noise=PRIOR, codes=[category("c", 3)]), signed),
    "bigan": Row(lambda: bigan(tiny(4, 4, 1), tiny(3), tiny(), PLAY, prior=PRIOR), signed),
    "pix2pix": Row(lambda: pix2pix(tiny(4, 4, 1), tiny(), PLAY), translated),
    "source only": Row(lambda: pretraining(tiny(8), tiny(2)), table.domains),
    "adda": Row(lambda: adda(tiny(8), tiny(2), tiny(), PLAY), table.domains),
    "stylegan2": Row(lambda: stylegan2(make(Styled()), tiny(), prior=PRIOR), signed),
    "vae of greys": Row(lambda: vae(tiny(2, heads=2), tiny(4, 4, 1, 2), GREYS, latent_size=2), signed),
    "vq-vae's prior": Row(coded_prior),
    "image flow": Row(lambda: image_flow(make(Chain(())), event_shape=(4, 4, 1), levels=2)),
    "autoregressive": Row(lambda: maximum_likelihood(make(Symbols(2)), event=(4, 4, 1), levels=2)),
    "learned constraint": Row(lambda: steer(table.game()(), Constraint(1.0, table.ink, tiny()), through="generator",
                                            examples="liked", proposals=4),
                              lambda: {**signed(), "liked": signed()["image"]}),
}  # fmt: skip


def whole(data):
    return data if isinstance(data, Dataset) else table.dataset(data)


def some(source):
    """A batch of 16 examples, of every stream if there are."""
    if hasattr(source, "sources"):
        return {name: some(each) for name, each in source.sources.items()}
    return source[np.arange(16)]


def only(batch, takes, but="", stream=""):
    """What is taken of a batch, but for one field."""
    return {
        name: only(batch[name], taken, but, f"{name}.") if isinstance(taken, dict) else batch[name]
        for name, taken in takes.items()
        if stream + name != but
    }


def flat(fields, stream=""):
    for name, field in fields.items():
        yield from [(stream + name, field)] if isinstance(field, Field) else flat(field, f"{name}.")


@pytest.mark.parametrize("name", ROWS)
def test_a_method_takes_what_it_reads(name):
    """Initialization and losses are traced on what is declared, which is enough, and without each, which is not."""
    row = ROWS[name]
    method, batch = row.build(), jax.tree.map(jnp.asarray, some(whole(row.data()).train))

    def trace(fields):
        def losses(key):
            view = view_of(method, init_state(method, key, fields))
            for phase in method.phases:
                phase.loss(phase.counted(view, fields), fields, key)

        jax.eval_shape(losses, jax.random.key(0))

    trace(only(batch, method.takes))
    for field, _ in flat(method.takes):
        with pytest.raises((KeyError, UserError), match=repr(field.rpartition(".")[2])):
            trace(only(batch, method.takes, but=field))


@pytest.mark.parametrize("name", ROWS)
def test_a_method_takes_the_data_it_is_made_for_and_refuses_a_range_that_is_none(name):
    method, data = ROWS[name].build(), whole(ROWS[name].data())
    check_declarations(method.takes, data, method=method.name)
    check_examples(method.takes, data, method=method.name)
    for field, taken in flat(method.takes):
        if "image" in field and taken.low is not None:
            bytes_ = table.dataset({"image": np.full((8, 4, 4, 1), 200, np.uint8)})
            with pytest.raises(UserError, match="has the value 200 where"):
                check_examples({"image": taken}, bytes_, method=method.name)


def test_images_of_games_are_signed_and_of_bits_are_bits():
    takes = {name: dict(flat(row.build().takes)) for name, row in ROWS.items()}
    for name in ("gan", "ac-gan", "infogan", "bigan", "pix2pix", "stylegan2", "progressive 4", "autoencoder"):
        assert takes[name]["image"] == SIGNED
    assert takes["cyclegan"] == {"a.image": SIGNED, "b.image": SIGNED}
    for name in ("vae", "iwae", "vq-vae", "vq-vae's prior"):
        assert takes[name]["image"] == UNIT
    for name in ("wake-sleep", "reweighted wake-sleep", "nvil"):
        assert takes[name]["image"].levels == 2
    assert takes["ac-gan"]["label"] == takes["gan conditional"]["label"] == Field(classes=2)
    assert takes["ppo"] == {}


def test_methods_side_by_side_take_the_same_data():
    game, model = table.game()(), table.autoencoder()
    assert side_by_side({"a": game, "b": game}).takes == game.takes
    with pytest.raises(UserError, match="b takes values from 0 to 1 of image, and another values from -1 to 1; side"):
        side_by_side({"a": game, "b": model})
