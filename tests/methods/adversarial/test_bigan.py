"""In one dimension the pair that has won is known: an encoder that is the generator's inverse."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxgen.core import Net, view_of
from jaxgen.data.embedded import digits
from jaxgen.experiment import ExperimentFile
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.bigan import bigan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.shipped import find
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)
MEAN, STD = 1.5, 2.0


class Line(nn.Module):
    """Slope and offset."""

    slope: float
    offset: float = 0.0

    @nn.compact
    def __call__(self, x):
        slope, offset = (
            self.param(n, lambda key, v=v: jnp.asarray(v)) for n, v in (("slope", self.slope), ("offset", self.offset))
        )
        return slope * x + offset


class Quadratic(nn.Module):
    """Every polynomial of second order in x and z: the log-ratio of two Gaussians is one.

    Pairs of functions lie on lines, between which no ratio is finite: in training both are seen through noise.
    """

    unary: bool = False

    @nn.compact
    def __call__(self, x, z):
        if self.has_rng("noise"):
            keys = jax.random.split(self.make_rng("noise"))
            x, z = (y + 0.5 * jax.random.normal(key, y.shape) for y, key in zip((x, z), keys, strict=True))
        terms = jnp.concatenate([x, z, x * x, z * z, x * z], -1)
        pair = nn.Dense(1, kernel_init=nn.initializers.zeros, name="pair")(terms)[:, 0]
        if not self.unary:
            return pair
        return pair, nn.Dense(1, name="x")(x)[:, 0], nn.Dense(1, name="z")(z)[:, 0]


def game(loss=adversarial.non_saturating, *, unary=False, streams=()):
    slow, fast = (optax.adam(optax.cosine_decay_schedule(rate, 1500), b1=0.5) for rate in (0.01, 0.05))
    nets = Net(Line(1.0), slow), Net(Line(0.3), slow), Net(Quadratic(unary), fast, streams=streams)
    return bigan(*nets, loss, prior=normal(1), field="x")


def draw(key, count):
    return {"x": MEAN + STD * jax.random.normal(key, (count, 1))}


@pytest.mark.slow
@pytest.mark.optimized
def test_generator_and_encoder_become_each_other_s_inverse():
    method = game(streams=("noise",))
    state, step = init_state(method, KEY, draw(KEY, 4)), build_step(method)

    def one(state, key):
        batch = jax.tree.map(lambda x: x[None], draw(key, 512))
        return step(state, batch, KEY)[0], None

    state, _ = jax.jit(lambda s: jax.lax.scan(one, s, jax.random.split(jax.random.key(1), 1500)))(state)
    a, c = (state.nets[name].params for name in ("generator", "encoder"))
    assert float(a["slope"] * c["slope"]) == pytest.approx(1.0, abs=0.03)
    assert abs(float(a["slope"])) == pytest.approx(STD, rel=0.03)
    assert float(a["offset"]) == pytest.approx(MEAN, abs=0.1)
    view = view_of(method, state)
    found = method.evaluate(view, draw(jax.random.key(2), 2000), KEY)
    ratio = float(found["reconstruction"].mean() / found["random_reconstruction"].mean())
    assert ratio < 0.1  # and 1 for an encoder that knows nothing


@pytest.mark.parametrize(
    "loss", [adversarial.non_saturating, adversarial.relativistic_pairing], ids=["separable", "paired"]
)
def test_the_players_want_the_kinds_exchanged(loss):
    """By hand: the critic's loss of (fake, real), whose gradient moves generator and encoder alone."""
    method = game(loss)
    batch = draw(jax.random.key(3), 8)
    state = init_state(method, KEY, batch)
    params = {name: net.params for name, net in state.nets.items()}
    params["critic"] = jax.tree.map(lambda p: jax.random.normal(KEY, p.shape), params["critic"])
    view = dataclasses.replace(view_of(method, state), params=params)
    z = method.latents.prior(jax.random.split(KEY, 3)[2], 8, None)["z"]
    scores = view("critic", batch["x"], view("encoder", batch["x"])), view("critic", view("generator", z), z)
    for phase, order in zip(method.phases, (scores, scores[::-1]), strict=True):
        assert phase.loss(view, batch, KEY)[0] == pytest.approx(float(jnp.mean(loss.critic(*order))), rel=1e-5)
    assert [phase.trains for phase in method.phases] == [("critic",), ("generator", "encoder")]


def test_unary_scores_are_losses_of_their_own():
    method = game(adversarial.hinge, unary=True)
    batch = draw(jax.random.key(3), 8)
    view = view_of(method, init_state(method, KEY, batch))
    z = method.latents.prior(jax.random.split(KEY, 3)[2], 8, None)["z"]
    real = view("critic", batch["x"], view("encoder", batch["x"]))
    fake = view("critic", view("generator", z), z)
    truth = sum(float(jnp.mean(adversarial.hinge.critic(r, f))) for r, f in zip(real, fake, strict=True))
    assert method.phases[0].loss(view, batch, KEY)[0] == pytest.approx(truth, rel=1e-5)


def test_an_untrained_pair_reconstructs_no_better_than_chance_would():
    """The figure's null: where E says nothing of x, G(E(x)) is as far as any sample of its kind."""
    method = game()
    view = view_of(method, init_state(method, KEY, draw(KEY, 4)))
    nothing = {"slope": jnp.zeros(()), "offset": jnp.zeros(())}
    view = dataclasses.replace(
        view, params={**view.params, "encoder": nothing, "generator": {**nothing, "offset": jnp.asarray(MEAN)}}
    )
    found = method.evaluate(view, draw(jax.random.key(2), 4000), KEY)
    assert float(found["reconstruction"].mean() / found["random_reconstruction"].mean()) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(method.latents.encode(view, draw(KEY, 3))["z"], 0)


class Planted:
    """A model whose samples and reconstructions are digits of its own, and whose codes are what it is given."""

    def __init__(self, samples, reconstructions, codes):
        self.samples, self.found = samples, {"_reconstructed": reconstructions, "_encoded": codes}

    def sample(self, key, count):
        return self.samples[:count]

    def apply(self, function, images):
        return self.found[function.__name__](images)


def test_figures_of_sets_tell_copies_from_new_images_and_codes_that_are_classes_from_none():
    """Both kinds of images are judged against held-out ones that they were not made of."""
    file, data = ExperimentFile.load(find("bigan")).module, digits()
    train, test = (source[np.arange(len(source))] for source in (data.train, data.test))
    labels = {image.tobytes(): label for part in (train, test) for image, label in zip(*part.values(), strict=True)}
    classes = lambda images: np.array([[labels[np.asarray(image).tobytes()]] for image in images], np.float32)  # noqa: E731
    good = Planted(train["image"], lambda images: images, classes)
    found = file.told_apart(good, data)
    real = file.halves_told_apart(good, data)["two_sample_accuracy"]
    assert found["two_sample_accuracy_of_reconstructions"] == real  # what is given back whole are the other half
    assert abs(real - 0.5) < 4 / np.sqrt(720)
    assert abs(found["two_sample_accuracy"] - 0.5) < 5 / np.sqrt(720)
    bad = Planted(train["image"][:1].repeat(360, 0), lambda images: 0 * images, lambda images: 0 * classes(images))
    assert file.told_apart(bad, data)["two_sample_accuracy"] > 0.95
    assert file.of_codes(good, data)["neighbor_accuracy"] == 1
    assert file.of_codes(bad, data)["neighbor_accuracy"] < 0.2
    assert file.of_pixels(good, data)["neighbor_accuracy"] > 0.95
