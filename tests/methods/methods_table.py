"""One table of methods, tiny, with the data each takes: what every method is held to is tested over its rows."""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.bijectors.compose import Chain, Invert
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.flatten import Flatten
from jaxgen.core import Net
from jaxgen.data.embedded import digits
from jaxgen.data.oscillators import SOURCE, TARGET, oscillators
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.environment import Environment
from jaxgen.experiment import Experiment
from jaxgen.layers.fade import alpha_of, between
from jaxgen.layers.resample import enlarge, mean_pool
from jaxgen.layers.vector_quantizer import VectorQuantizer
from jaxgen.likelihoods import bernoulli
from jaxgen.losses import adversarial, estimators
from jaxgen.losses.levels import Gaussian, merged
from jaxgen.losses.tree import Process
from jaxgen.methods.adversarial import lazy, priors, regularizers
from jaxgen.methods.adversarial.acgan import acgan
from jaxgen.methods.adversarial.adaptive import adaptive
from jaxgen.methods.adversarial.adda import adda, pretraining
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.methods.adversarial.cyclegan import cyclegan
from jaxgen.methods.adversarial.domain_adaptation import domain_adversarial
from jaxgen.methods.adversarial.dvdgan import Critic, all_pooled, dvdgan, some_frames
from jaxgen.methods.adversarial.gail import gail
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.gumbel import certain, gumbel_gan
from jaxgen.methods.adversarial.infogan import category, infogan, interval
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.methods.adversarial.pixelda import pixelda
from jaxgen.methods.adversarial.players import Players
from jaxgen.methods.adversarial.policy_gradient import likelihood, reinforce
from jaxgen.methods.adversarial.ppo import ppo
from jaxgen.methods.adversarial.progressive import growing
from jaxgen.methods.adversarial.seqgan import seqgan
from jaxgen.methods.adversarial.stylegan2 import stylegan2
from jaxgen.methods.adversarial.vrada import vrada
from jaxgen.methods.autoregressive.deep_supervision import deeply_supervised
from jaxgen.methods.autoregressive.depth_upscaling import depth_upscaled
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.methods.classification import classification
from jaxgen.methods.flow.flow import flow, image_flow
from jaxgen.methods.flow.integer_flow import integer_flow
from jaxgen.methods.flow.noisy_flow import noisy_image_flow
from jaxgen.methods.knowledge.conditional_regularization import steer_conditional
from jaxgen.methods.knowledge.controlled import controlled
from jaxgen.methods.knowledge.distillation import imitating, rule_distillation
from jaxgen.methods.knowledge.max_entropy_irl import max_entropy_irl
from jaxgen.methods.knowledge.posterior_regularization import Constraint, steer, teach
from jaxgen.methods.knowledge.sequence_distillation import sequence_distillation
from jaxgen.methods.latent import priors as priors_of_z
from jaxgen.methods.latent.autoencoder import autoencoder as plain_autoencoder
from jaxgen.methods.latent.conditional_vae import conditional_vae
from jaxgen.methods.latent.discrete_vae import discrete_vae
from jaxgen.methods.latent.hierarchical import hierarchical_vae
from jaxgen.methods.latent.iwae import iwae
from jaxgen.methods.latent.perceptual import perceptual_vae, vae_gan
from jaxgen.methods.latent.topic_model import topic_model
from jaxgen.methods.latent.vae import vae
from jaxgen.methods.latent.vq_vae import code_prior, vq_vae
from jaxgen.methods.latent.wake_sleep import reweighted_wake_sleep, wake_sleep
from jaxgen.methods.recording import recorded
from jaxgen.methods.side_by_side import side_by_side
from jaxgen.methods.simultaneous import simultaneous
from jaxgen.models.autoregressive.contract import AutoregressiveModel
from jaxgen.models.flow.idf import IDF
from jaxgen.models.knowledge.confidences import Confidences
from jaxgen.models.latent.priors import PseudoInputs, TreePrior
from jaxgen.models.latent.vrnn import Heard
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh

KEY, BATCH, EXAMPLES = jax.random.key(0), 16, 48


class Tiny(nn.Module):
    """Two dense layers to `shape`, float64 where that is on; `busy` has every kind of state between them."""

    shape: tuple[int, ...]
    dtype: Any = None
    busy: bool = False
    heads: int = 1

    @nn.compact
    def __call__(self, x, *others, train=False):
        x = jnp.concatenate([y.reshape(len(x), -1) for y in (x, *others)], axis=-1)
        dense = functools.partial(nn.Dense, dtype=self.dtype, param_dtype=jnp.float64)
        x = dense(8)(x)
        if self.busy:
            x = nn.BatchNorm(use_running_average=not train, dtype=self.dtype, param_dtype=jnp.float64)(x)
            x = nn.Dropout(0.2, deterministic=not train)(x)
        x = nn.tanh(x)
        outputs = [dense(int(np.prod(self.shape)))(x).reshape(len(x), *self.shape) for _ in range(self.heads)]
        return outputs[0] if self.heads == 1 else tuple(outputs)


class Answering(nn.Module):
    """A score, and further heads of so many numbers, from one trunk."""

    trunk: Tiny
    heads: Any

    @nn.compact
    def __call__(self, x, *, train=False):
        features = self.trunk(x, train=train)
        dense = functools.partial(nn.Dense, dtype=self.trunk.dtype, param_dtype=jnp.float64)
        return dense(1)(features)[:, 0], {name: dense(count)(features) for name, count in self.heads.items()}


class Styled(nn.Module):
    """A generator of images by a style w, whose mean it keeps."""

    dtype: Any = None
    busy: bool = False

    def setup(self):
        self.mapping, self.drawing = (Tiny(s, self.dtype, self.busy) for s in ((1, 3), (4, 4, 1)))
        self.average = self.variable("average", "w", jnp.zeros, (3,))

    def __call__(self, z, *, train=False):
        return self.synthesis(self.styles(z, train=train), train=train)

    def styles(self, z, *, train=False):
        w = self.mapping(z, train=train)
        if train and self.is_mutable_collection("average"):
            self.average.value = 0.9 * self.average.value + 0.1 * jnp.mean(w[:, 0], 0).astype(self.average.value.dtype)
        return w

    def synthesis(self, styles, *, train=False):
        return self.drawing(styles, train=train)


class Conditioner(Tiny):
    """A coupling's, which is told how many numbers are wanted."""

    shape: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, x, features):
        dense = functools.partial(nn.Dense, dtype=self.dtype, param_dtype=jnp.float64)
        x = nn.Dropout(0.2, deterministic=not (self.busy and self.has_rng("dropout")))(dense(8)(x))
        return dense(features)(nn.tanh(x))


class Causal(nn.Module):
    """Logits of each token from the mean of those before it."""

    dtype: Any = None
    busy: bool = False

    @nn.compact
    def __call__(self, tokens, *, train=False):
        x = jax.nn.one_hot(tokens, 3)
        x = jnp.pad(jnp.cumsum(x, axis=1)[:, :-1], ((0, 0), (1, 0), (0, 0)))
        place = jnp.broadcast_to(jnp.eye(4), (len(x), 4, 4))
        x = nn.Dense(8, dtype=self.dtype, param_dtype=jnp.float64)(jnp.concatenate([x, place], axis=-1))
        if self.busy:
            x = nn.BatchNorm(use_running_average=not train, dtype=self.dtype, param_dtype=jnp.float64)(x)
            x = nn.Dropout(0.2, deterministic=not train)(x)
        return nn.Dense(3, dtype=self.dtype, param_dtype=jnp.float64)(nn.tanh(x))


class Codes(AutoregressiveModel):
    """Logits of each symbol of an event from its own place and the one before it."""

    dtype: Any = None
    busy: bool = False

    @nn.compact
    def logits(self, x, condition=None):
        before = jnp.pad(x.reshape(len(x), -1), ((0, 0), (1, 0)))[:, :-1]
        place = jnp.broadcast_to(jnp.eye(before.shape[1]), (*before.shape, before.shape[1]))
        h = jnp.concatenate([jax.nn.one_hot(before, self.levels), place], axis=-1)
        dense = functools.partial(nn.Dense, dtype=self.dtype, param_dtype=jnp.float64)
        h = nn.Dropout(0.2, deterministic=not (self.busy and self.has_rng("dropout")))(nn.tanh(dense(8)(h)))
        return dense(self.levels)(h).astype(jnp.promote_types(h.dtype, jnp.float32)).reshape(*x.shape, self.levels)


class Deep(Codes):
    """Two layers that predict alike."""

    def layer_log_probs(self, x, condition=None):
        log_prob = self.log_prob(x, condition)
        return jnp.stack([log_prob, log_prob])


class Tags(nn.Module):
    """Logits of three tags for each of four symbols."""

    dtype: Any = None
    busy: bool = False

    @nn.compact
    def __call__(self, tokens, *, train=False):
        x = nn.Dense(8, dtype=self.dtype, param_dtype=jnp.float64)(jax.nn.one_hot(tokens, 3))
        if self.busy:
            x = nn.BatchNorm(use_running_average=not train, dtype=self.dtype, param_dtype=jnp.float64)(x)
            x = nn.Dropout(0.2, deterministic=not train)(x)
        return nn.Dense(3, dtype=self.dtype, param_dtype=jnp.float64)(nn.tanh(x))


class Seen(nn.Module):
    """What an image says of two levels of latents."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x):
        dense = functools.partial(nn.Dense, dtype=self.dtype, param_dtype=jnp.float64)
        x = nn.tanh(dense(8)(x.reshape(len(x), -1)))
        return [Gaussian(dense(2)(x), dense(2)(x)) for _ in range(2)]


class Stairs(nn.Module):
    """Two levels of latents, and an image below them."""

    dtype: Any = None
    levels = ((2,), (2,))

    @nn.compact
    def __call__(self, evidence, *, count, sample):
        dense = functools.partial(nn.Dense, dtype=self.dtype, param_dtype=jnp.float64)
        prior = Gaussian(jnp.zeros((count, 2)), jnp.zeros((count, 2)))
        for level in range(2):
            z = sample(prior, None if evidence is None else merged(prior, evidence[level]))
            prior = Gaussian(dense(2)(z), dense(2)(z))
        return dense(16)(z).reshape(count, 4, 4, 1, 1)


class Topics(nn.Module):
    """Logits of sixteen words in each of two topics."""

    dtype: Any = None

    @nn.compact
    def __call__(self):
        return self.param("logits", nn.initializers.normal(), (2, 16), jnp.float64).astype(self.dtype)


class Listening(nn.Module):
    """A recurrent network's answer without a recurrence."""

    latent: int = 2
    dtype: Any = None
    busy: bool = False

    @nn.compact
    def __call__(self, x, noise, *, train=False):
        code = Tiny((self.latent,), self.dtype, self.busy)(x, train=train)
        again = Tiny(x.shape[1:], self.dtype, self.busy)(code + noise.mean(1), train=train)
        return Heard(-jnp.sum((again - x) ** 2, (1, 2)), jnp.sum(code**2, 1) / 2, code)


class Dreams(nn.Module):
    """p(x, z) of three bits of z."""

    dtype: Any = None

    @nn.compact
    def __call__(self, *, lead, sample):
        prior = self.param("prior", nn.initializers.zeros, (3,), jnp.float64)
        z = sample(jnp.broadcast_to(prior, (*lead, 3)))
        return nn.Dense(16, dtype=self.dtype, param_dtype=jnp.float64)(z).reshape(*lead, 4, 4, 1)


class Recognized(nn.Module):
    """q(z | x) of three bits of z."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x, *, sample):
        sample(nn.Dense(3, dtype=self.dtype, param_dtype=jnp.float64)(x.reshape(len(x), -1)))


class Growing(nn.Module):
    """A generator or a critic at 4x4, 8x8 or 16x16, the finest layer faded in."""

    resolution: int
    critic: bool = False

    @nn.compact
    def __call__(self, x, *, train=False):
        dense = functools.partial(nn.Dense, param_dtype=jnp.float64)
        finer = [size for size in (8, 16) if size <= self.resolution]
        alpha = alpha_of(self) if finer else 1.0
        if not self.critic:
            image = dense(16, name="4")(x).reshape(-1, 4, 4, 1)
            for size in finer:
                old = enlarge(image)
                new = old + dense(size * size, name=str(size))(x).reshape(old.shape)
                image = between(old, new, alpha if size == self.resolution else 1.0)
            return image
        for size in reversed(finer):
            old = mean_pool(x)
            new = old + dense(size * size // 4, name=str(size))(nn.tanh(x.reshape(len(x), -1))).reshape(old.shape)
            x = between(old, new, alpha if size == self.resolution else 1.0)
        return dense(1, name="last")(nn.tanh(dense(8, name="4")(x.reshape(len(x), -1))))[:, 0]


def images(count=EXAMPLES, seed=0):
    """Digits at 4x4, ink and none; those with more of it are class 1."""
    x = np.random.default_rng(seed).permutation(pooled())[:count]
    return {"image": x, "label": (x.mean((1, 2, 3)) > 0.5).astype(np.int32)}


@functools.cache
def pooled():
    x = digits().train[np.arange(500)]["image"].reshape(-1, 4, 2, 4, 2, 1)
    return (x.mean((2, 4)) > 5).astype(np.float32)


def signed(count=EXAMPLES, seed=0):
    """The same, as networks see images."""
    arrays = images(count, seed)
    return {**arrays, "image": 2 * arrays["image"] - 1}


def large():
    """Digits at 16x16."""
    x = digits().train[np.arange(EXAMPLES)]["image"]
    return {"image": x.repeat(2, axis=1).repeat(2, axis=2) / np.float32(8) - 1}


def dataset(arrays):
    source = Source("tiny", "train", lambda: {k: x[:1] for k, x in arrays.items()}, lambda: Memory(arrays))
    return Dataset(source, source)


ADAM = optax.adam(0.02, b1=0.5)


def v_busy(variant):
    return {"busy": variant.get("busy", False)}


def make(module, busy=False, **settings):
    """A net of a module; a busy one has a stream of its own."""
    return Net(module, ADAM, ema_decay=0.9, streams=("dropout",) if busy else (), **settings)


def tiny(*shape, heads=1, **variant):
    return make(Tiny(shape, heads=heads, **variant), **v_busy(variant))


def game(loss=adversarial.non_saturating, **settings):
    def build(**variant):
        return gan(tiny(4, 4, 1, **variant), tiny(**variant), loss, prior=priors.normal(3), **settings)

    return build


def lazily(**variant):
    players = Players(priors.normal(3))
    return lazy.lazily(game()(**variant), players, regularizers.r1(0.1), name="r1", every=4)


def answering(heads, **variant):
    return make(Answering(Tiny((8,), **variant), heads), **v_busy(variant))


def classes(**variant):
    critic = answering({"label": 2, "twin": 2}, **variant)
    return acgan(tiny(4, 4, 1, **variant), critic, adversarial.hinge, prior=priors.normal(3), classes=2, twin=True)


def informed(**variant):
    codes = [category("bit", 2), interval("number")]
    critic = answering({"bit": 2, "number": 2}, **variant)
    return infogan(tiny(4, 4, 1, **variant), critic, adversarial.hinge, noise=priors.normal(2), codes=codes)


def inverted(**variant):
    nets = tiny(4, 4, 1, **variant), tiny(3, **variant), tiny(**variant)
    return bigan(*nets, adversarial.non_saturating, prior=priors.normal(3))


def told(**variant):
    return pix2pix(tiny(4, 4, 1, **variant), tiny(**variant), adversarial.least_squares, weight=10.0)


def answering_better(**variant):
    return steer_conditional(
        told(**variant), lambda apply, x, batch: apply("judge", x) * batch["image"].mean((1, 2, 3)), alpha=1.0,
        through="generator", truth="target", nets={"judge": tiny(**variant)}, learned="judge",
    )  # fmt: skip


def styled(**variant):
    generator = make(Styled(**variant), **v_busy(variant))
    return stylegan2(generator, tiny(**variant), prior=priors.normal(3), every=(4, 2))


def moved(**variant):
    return adda(tiny(8, **variant), tiny(2, **variant), tiny(**variant), adversarial.non_saturating)


def autoencoder(**variant):
    return vae(tiny(2, heads=2, **variant), tiny(4, 4, 1, 1, **variant), bernoulli, latent_size=2)


def conditioned(**variant):
    nets = tiny(2, heads=2, **variant), tiny(4, 4, 1, 1, **variant)
    return conditional_vae(*nets, bernoulli, latent_size=2, classes=2)


def vamped(**variant):
    prior = priors_of_z.vamp(make(PseudoInputs(4)))
    return vae(tiny(2, heads=2, **variant), tiny(4, 4, 1, 1, **variant), bernoulli, latent_size=2, prior=prior)


def treed(**variant):
    process = Process((2, 2), data_variance=0.3)
    prior = priors_of_z.tree(Net(TreePrior(process, 2, EXAMPLES, decay=0.9)))
    return vae(tiny(2, heads=2, **variant), tiny(4, 4, 1, 1, **variant), bernoulli, latent_size=2, prior=prior)


def perceived(**variant):
    nets = tiny(2, heads=2, **variant), tiny(4, 4, 1, **variant), Net(Tiny((3,), **variant))
    return perceptual_vae(*nets, latent_size=2)


def criticized(**variant):
    nets = tiny(2, heads=2, **variant), tiny(4, 4, 1, **variant), tiny(heads=2, **variant)
    return vae_gan(*nets, adversarial.non_saturating, latent_size=2)


def weighed(**variant):
    encoder, decoder = tiny(2, heads=2, **variant), tiny(4, 4, 1, 1, **variant)
    return iwae(encoder, decoder, bernoulli, latent_size=2, draws=3, doubly_reparametrized=True)


def belief(method, **settings):
    def build(**variant):
        return method(make(Dreams(**variant)), make(Recognized(**variant)), **settings)

    return build


def nvil(**variant):
    return belief(discrete_vae, estimator=estimators.score_function, baseline=tiny(1, **variant))(**variant)


def coded(**variant):
    codebook = Net(VectorQuantizer(4, decay=0.9, restart_below=0.1), streams=("restart",))
    return vq_vae(tiny(2, 2, 3, **variant), codebook, tiny(4, 4, 1, 1, **variant), bernoulli)


def symbols(**variant):
    model = make(Codes(2, **variant), **v_busy(variant))
    return maximum_likelihood(model, event=(4, 4, 1), levels=2)


def supervised(**variant):
    model = make(Deep(2, **variant), **v_busy(variant))
    return deeply_supervised(model, event=(4, 4, 1), field="image", steps=100, levels=2)


def deepened(**variant):
    model = make(Codes(2, **variant), **v_busy(variant))
    return depth_upscaled(model, event=(4, 4, 1), levels=4, coarse=2)


def four_levels():
    x = images()
    return {**x, "image": 3 * x["image"].astype(np.int32)}


def prior_of_codes(**variant):
    codebook = Net(VectorQuantizer(4, decay=0.9))
    still = Tiny((2, 2, 3)), Tiny((4, 4, 1, 1))
    model = make(Codes(4, **variant), **v_busy(variant))
    return code_prior(Net(still[0]), codebook, Net(still[1]), model, bernoulli, event=(2, 2, 1))


def pixels(busy=False, dtype=None):
    parts = tuple(Coupling(Conditioner(busy=busy, dtype=dtype), swap=swap) for swap in (False, True))
    net = make(Chain((Flatten((4, 4, 1)), *parts, Invert(Flatten((4, 4, 1))))), busy=busy)
    return image_flow(net, event_shape=(4, 4, 1), levels=2)


def noisy_pixels(busy=False, dtype=None):
    parts = tuple(Coupling(Conditioner(busy=busy, dtype=dtype), swap=swap) for swap in (False, True))
    net = make(Chain((Flatten((4, 4, 1)), *parts, Invert(Flatten((4, 4, 1))))), busy=busy)
    return noisy_image_flow(net, event_shape=(4, 4, 1), noise=0.1)


def couplings(busy=False, dtype=None):
    parts = tuple(Coupling(Conditioner(busy=busy, dtype=dtype), swap=swap) for swap in (False, True))
    return flow(make(Chain(parts), busy=busy), event_shape=(4,))


def rules(predict, batch):
    """A class 1 that is known by more ink."""
    heavy = jnp.mean(batch["image"], axis=(1, 2, 3)) > 0.5
    return jnp.stack([~heavy, heavy], axis=1)[..., None].astype(jnp.float32), True


def student(**variant):
    return rule_distillation(
        tiny(2, **variant), Net(Confidences([1.0])), rules, inputs="image", strength=2.0, pi_0=0.5, alpha=0.9
    )


def imitated(**variant):
    """A teacher that says what the student says, twice as surely."""

    def teacher(view, batch, name, logits):
        return jax.nn.log_softmax(2 * logits)

    def evaluate(view, batch, key):
        return {"accuracy": jnp.argmax(view("student", batch["image"]), -1) == batch["label"]}

    return imitating(
        tiny(2, **variant), Net(Confidences([1.0])), teacher, evaluate, inputs="image", pi_0=0.5, alpha=0.9
    )


def tagged(**variant):
    """A rule about neighbours, and that tag 1 is a 1's."""

    def single(predict, batch):
        return (jnp.arange(3) == batch["tokens"][..., None])[..., None].astype(float), True

    figures = lambda tags, batch: {"right": jnp.mean(tags == batch["label"], -1)}  # noqa: E731
    return sequence_distillation(
        make(Tags(**variant), **v_busy(variant)), Net(Confidences([0.5, 0.5])), jnp.eye(3)[..., None], single, figures,
        inputs="tokens", strength=2.0, pi_0=0.5, alpha=0.9,
    )  # fmt: skip


class Worded(nn.Module):
    """Logits of four symbols, given z and a code."""

    dtype: Any = None
    busy: bool = False

    @nn.compact
    def __call__(self, z, code, *, train=False):
        return Tiny((4, 3), self.dtype, self.busy)(z, code, train=train)


def told_codes(**variant):
    one = make(Told(**variant), **v_busy(variant))
    nets = tiny(2, heads=2, **variant), make(Worded(**variant), **v_busy(variant)), one
    return controlled(*nets, vocabulary=3, classes=(2,), latent_size=2)


class Told(nn.Module):
    """Logits of one attribute of two classes."""

    dtype: Any = None
    busy: bool = False

    @nn.compact
    def __call__(self, x, *, train=False):
        return (Tiny((2,), self.dtype, self.busy)(x, train=train),)


def remembered(**variant):
    return recorded(game()(**variant), lambda view: view("critic", jnp.ones((1, 4, 4, 1)))[0], frames=4, shape=())


def beside(**variant):
    return side_by_side({"one": weighed(**variant), "other": autoencoder(**variant)})


def ink(x):
    return jnp.mean(x, axis=(1, 2, 3))


def adapted(**variant):
    return domain_adversarial(tiny(8, **variant), tiny(2, **variant), tiny(**variant), strength=0.1)


def translated(**variant):
    return cyclegan(tiny(4, 4, 1, **variant), tiny(4, 4, 1, **variant), tiny(**variant), pool=20)


def filmed(**variant):
    critics = {
        "spatial": Critic(tiny(**variant), some_frames(2)),
        "temporal": Critic(tiny(**variant), all_pooled),
    }
    return dvdgan(tiny(3, 4, 4, 1, **variant), critics, adversarial.hinge, prior=priors.normal(3))


def grown(resolution):
    def build(**variant):
        nets = (make(Growing(resolution, critic)) for critic in (False, True))
        base = gan(*nets, adversarial.non_saturating, prior=priors.normal(3))
        return growing(base, resolution, fade_steps=0 if resolution == 4 else 60)

    return build


def world():
    """A walk on four places in a ring, of which the last one pays."""

    def step(state, action, key):
        place = (state["place"] + 2 * action - 1) % 4
        time = (state["time"] + 1) % 5
        return {"place": jnp.where(time == 0, 0, place), "time": time}, (place == 3).astype(jnp.float32), time == 0

    return Environment(
        lambda key: {"place": jax.random.randint(key, (), 0, 4), "time": jnp.zeros((), int)},
        step,
        lambda state: jax.nn.one_hot(state["place"], 4),
        actions=2,
    )


def walked(**variant):
    return ppo(tiny(2, **variant), tiny(**variant), world(), environments=8, horizon=5, limit=3, epochs=3)


def apprenticed(**variant):
    players = tiny(2, **variant), tiny(**variant), tiny(**variant)
    return gail(*players, world(), environments=8, horizon=5, limit=3, epochs=2, critic_steps=2)


def explained(**variant):
    return max_entropy_irl(tiny(**variant), np.full((4, 2, 4), 0.25), discount=0.5, backups=5)


@dataclasses.dataclass(frozen=True)
class Row:
    """A method: its constructor, its data, a loss that falls, and what cannot hold for it."""

    build: Any
    data: Any = images
    falls: str = ""
    without: tuple[str, ...] = ()  # of "busy", "accumulate", "bfloat16", "samples"


def vectors():
    x = np.random.default_rng(0).normal(size=(EXAMPLES, 4)) @ np.tril(np.ones((4, 4)))
    return {"x": x.astype(np.float32)}


def acted():
    rng = np.random.default_rng(0)
    place = rng.integers(0, 4, EXAMPLES)
    return {"observation": np.eye(4, dtype=np.float32)[place], "label": (place == 2).astype(np.int32)}


def sequences():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, EXAMPLES)
    return {"tokens": np.stack([(first + i * (first > 0)) % 3 for i in range(4)], 1).astype(np.int32)}


def coded_sequences():
    tokens = sequences()["tokens"]
    return {"tokens": tokens, "attributes": np.where(np.arange(EXAMPLES) % 3, tokens[:, 0] > 0, -1)[:, None]}


def tags():
    tokens = np.random.default_rng(0).integers(1, 3, (EXAMPLES, 4)).astype(np.int32)
    return {"tokens": tokens, "label": tokens}


def levels():
    x = images()
    return {**x, "image": x["image"].astype(np.int32)}


def documents():
    return {"counts": images()["image"].reshape(EXAMPLES, 16)}


def told_pairs():
    x = signed()["image"]
    return {"image": x, "target": -x}


def domains():
    return Dataset.streams(source=dataset(images()), target=dataset(images(32, seed=1)))


def series():
    return Dataset.streams(
        **{
            name: oscillators(domain, length=6, train=EXAMPLES, test=4)
            for name, domain in (("source", SOURCE), ("target", TARGET))
        }
    )


def pairs():
    return Dataset.streams(a=dataset(signed()), b=dataset({"image": -signed(32, seed=1)["image"]}))


def clips():
    x = signed()["image"]
    return {"video": np.stack([x, np.roll(x, 1, axis=1), np.roll(x, 2, axis=1)], axis=1)}


# Methods that draw noise, or look at a batch as a whole, are other ones when a batch is cut into micro-batches.
NOISY = ("accumulate",)
TABLE = {
    "gan": Row(game(), signed, without=NOISY),
    "gan paired": Row(game(adversarial.relativistic_pairing), signed, without=NOISY),
    "gan conditional": Row(game(classes=2, critic_steps=2), signed, without=NOISY),
    "gan lazy": Row(lazily, signed, without=NOISY),
    "acgan": Row(classes, signed, falls="critic/classification", without=NOISY),
    "infogan": Row(informed, signed, without=NOISY),
    "bigan": Row(inverted, signed, without=NOISY),
    "pix2pix": Row(told, told_pairs, falls="generator/l1", without=(*NOISY, "samples")),
    "stylegan2": Row(styled, signed, without=NOISY),
    "adaptive": Row(lambda **v: adaptive(game()(**v)), signed, without=NOISY),
    "adda, source": Row(
        lambda **v: pretraining(tiny(8, **v), tiny(2, **v)), domains, falls="source/loss", without=("samples",)
    ),
    "adda": Row(moved, domains, without=("samples",)),
    "recorded": Row(remembered, signed, without=NOISY),
    "side by side": Row(beside, falls="other.elbo/loss", without=(*NOISY, "samples")),
    "gan at once": Row(lambda **v: simultaneous(game()(**v)), signed, without=NOISY),
    "vae": Row(autoencoder, falls="elbo/loss", without=NOISY),
    "conditional vae": Row(conditioned, falls="elbo/loss", without=NOISY),
    "vamp": Row(vamped, falls="elbo/loss", without=NOISY),
    "tree prior": Row(treed, falls="elbo/loss", without=NOISY),
    "perceptual vae": Row(perceived, signed, falls="features/loss", without=NOISY),
    "vae-gan": Row(criticized, signed, without=NOISY),
    "iwae": Row(weighed, falls="iwae/loss", without=NOISY),
    "wake-sleep": Row(belief(wake_sleep), falls="wake/loss", without=(*NOISY, "busy")),
    "reweighted wake-sleep": Row(
        belief(reweighted_wake_sleep, draws=3), falls="wake/loss", without=(*NOISY, "busy", "bfloat16")
    ),
    "ladder": Row(
        lambda **v: hierarchical_vae(make(Seen(**v)), make(Stairs(**v)), bernoulli),
        falls="elbo/loss",
        without=(*NOISY, "busy"),
    ),
    "topic model": Row(
        lambda **v: topic_model(tiny(2, heads=2, **v), make(Topics(**v)), alpha=(0.5, 0.5)),
        documents,
        falls="elbo/loss",
        without=(*NOISY, "busy"),
    ),
    "nvil": Row(nvil, falls="bound/loss", without=(*NOISY, "busy")),
    "autoencoder": Row(
        lambda **v: plain_autoencoder(tiny(3, **v), tiny(4, 4, 1, **v)),
        signed,
        falls="reconstruction/loss",
        without=("samples",),
    ),
    "vq-vae": Row(coded, falls="reconstruction/loss", without=(*NOISY, "samples")),
    "vq-vae's prior": Row(prior_of_codes, falls="prior/loss"),
    "maximum likelihood": Row(symbols, levels, falls="likelihood/loss"),
    "depth upscaling": Row(deepened, four_levels, falls="likelihood/loss"),
    "deep supervision": Row(supervised, levels, falls="likelihood/loss"),
    "image flow": Row(pixels, levels, falls="likelihood/loss", without=NOISY),
    "noisy flow": Row(noisy_pixels, signed, falls="likelihood/loss", without=NOISY),
    "flow": Row(couplings, vectors, falls="likelihood/loss"),
    "idf": Row(
        # Not by Adam: of two levels gradients of ±c may cancel but for rounding, of which it makes whole steps.
        lambda **v: integer_flow(Net(IDF(2, (4, 4, 1), couplings=2, scales=1, width=4, **v), optax.sgd(0.01))),
        falls="likelihood/loss",
        without=("busy",),
    ),
    "classification": Row(
        lambda **v: classification(tiny(2, **v), inputs="image"), falls="classifier/loss", without=("samples",)
    ),
    "rule distillation": Row(student, falls="student/loss", without=("samples",)),
    "imitating": Row(imitated, falls="student/loss", without=("samples",)),
    "sequence distillation": Row(tagged, tags, falls="student/loss", without=("samples",)),
    "controlled text": Row(told_codes, coded_sequences, falls="generator/nats", without=NOISY),
    "teach": Row(lambda **v: teach(autoencoder(**v), Constraint(1.0, ink), proposals=16), without=NOISY),
    "steer": Row(
        lambda **v: steer(autoencoder(**v), Constraint(1.0, ink), through="decoder", proposals=16), without=NOISY
    ),
    "steer conditional": Row(answering_better, told_pairs, without=(*NOISY, "samples")),
    "dann": Row(adapted, domains, falls="adapt/label", without=("samples",)),
    "pixelda": Row(
        lambda **v: pixelda(tiny(4, 4, 1, **v), tiny(**v), tiny(2, **v), noise=2),
        domains,
        falls="task/source",
        without=(*NOISY, "samples"),
    ),
    "vrada": Row(
        lambda **v: vrada(make(Listening(**v), **v_busy(v)), tiny(2, **v), tiny(**v), strength=0.1),
        series,
        falls="adapt/label",
        without=(*NOISY, "samples"),
    ),
    "cyclegan": Row(translated, pairs, falls="generators/cycle", without=(*NOISY, "samples")),
    "dvdgan": Row(filmed, clips, without=NOISY),
    "progressive 4": Row(grown(4), large, without=(*NOISY, "busy", "bfloat16")),
    "progressive 8": Row(grown(8), large, without=(*NOISY, "busy", "bfloat16")),
    "progressive 16": Row(grown(16), large, without=(*NOISY, "busy", "bfloat16")),
    "likelihood": Row(lambda **v: likelihood(make(Causal(**v), **v_busy(v)), length=4), sequences, "likelihood/loss"),
    "reinforce": Row(
        lambda **v: reinforce(make(Causal(**v), **v_busy(v)), lambda t: jnp.sum(t == 2, 1), length=4),
        sequences,
        without=NOISY,
    ),
    "seqgan": Row(
        lambda **v: seqgan(make(Codes(3, **v), **v_busy(v)), tiny(**v), length=4, rollouts=2),
        sequences,
        without=NOISY,
    ),
    "gumbel": Row(
        lambda **v: gumbel_gan(tiny(4, 3, **v), tiny(**v), adversarial.non_saturating, prior=priors.normal(3)),
        lambda: {"logits": certain(sequences()["tokens"], 3)},
        without=NOISY,
    ),
    "ppo": Row(walked, without=(*NOISY, "samples")),
    "gail": Row(apprenticed, acted, without=(*NOISY, "samples")),
    "max-entropy irl": Row(explained, acted, without=("samples",)),
}


@functools.cache
def trainer(name, devices=1, accumulate=1, **variant):
    row = TABLE[name]
    method = row.build(**variant)
    phases = tuple(dataclasses.replace(phase, accumulate=accumulate) for phase in method.phases)
    data = row.data()
    experiment = Experiment(
        method=dataclasses.replace(method, phases=phases),
        data=data if isinstance(data, Dataset) else dataset(data),
        schedule=Schedule(1000), batch_size=BATCH, seed=0,
    )  # fmt: skip
    return experiment.trainer(make_mesh(devices=jax.devices()[:devices]))


def steps(trainer, count, state=None, start=0):
    state, data, history = state or trainer.init(), trainer.batches(start), []
    for step in range(start, start + count):
        state, metrics = trainer.program(step)(state, next(data), trainer.run_key)
        history.append(jax.device_get(metrics))
    data.close()
    return jax.device_get(state), history


# The algorithms that the engine's words were made for: name -> its stages, as rows of the table.
ALGORITHMS = {
    "gan lazy": ("gan lazy",),
    "dann": ("dann",),
    "cyclegan": ("cyclegan",),
    "ppo": ("ppo",),
    "reweighted wake-sleep": ("reweighted wake-sleep",),
    "codes, then their prior": ("vq-vae", "vq-vae's prior"),
    "growing": ("progressive 4", "progressive 8", "progressive 16"),
    "pretrain then play": ("likelihood", "reinforce"),
}
