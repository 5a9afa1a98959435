"""CycleGAN on numbers: what it minimises by hand, the pool its critics see, and a planted translation."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.cyclegan import cyclegan
from jaxgen.shipped import find
from jaxgen.training.step import init_state

KEY = jax.random.key(0)


class Affine(nn.Module):
    start: float = 1.0

    @nn.compact
    def __call__(self, x):
        scale, shift = (
            self.param("scale", lambda key: jnp.asarray(self.start)),
            self.param("shift", lambda key: jnp.zeros(())),
        )
        return scale * x + shift


class Judge(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)
        return nn.Dense(1)(jnp.concatenate([x, x**2], -1))[:, 0]


def method(rate=0.0, **settings):
    nets = (Net(module, optax.adam(rate, b1=0.5)) for module in (Affine(2.0), Affine(0.7), Judge()))
    return cyclegan(*nets, **settings)


def numbers(count, mean, std, seed):
    return np.random.default_rng(seed).normal(mean, std, (count, 1, 1, 1)).astype(np.float32)


BATCH = {"a": {"image": numbers(8, 0.0, 1.0, 0)}, "b": {"image": numbers(8, 1.0, 2.0, 1)}}


def test_what_the_translators_minimise_by_hand():
    own = method(cycle=3.0, identity=lambda step: 0.5 + step)
    view = view_of(own, init_state(own, KEY, BATCH))
    value, aux = own.phases[0].loss(view, BATCH, KEY)
    a, b = (BATCH[d]["image"] for d in "ab")
    judged = sum(np.mean((view(f"critic_{d}", x) - 1) ** 2) / 2 for d, x in (("b", 2 * a), ("a", 0.7 * b)))
    cycle = np.abs(1.4 * a - a).mean() + np.abs(1.4 * b - b).mean()
    itself = np.abs(2 * b - b).mean() + np.abs(0.7 * a - a).mean()
    np.testing.assert_allclose(value, judged + 3 * cycle + 0.5 * itself, rtol=1e-5)
    assert aux.variables.keys() == {"a_to_b", "b_to_a"}


def test_a_game_that_looks_at_real_logits_is_given_them():
    own = method(loss=adversarial.relativistic_pairing, cycle=0.0, identity=0.0)
    view = view_of(own, init_state(own, KEY, BATCH))
    value, _ = own.phases[0].loss(view, BATCH, KEY)
    a, b = (BATCH[d]["image"] for d in "ab")
    margins = (view("critic_a", a) - view("critic_a", 0.7 * b), view("critic_b", b) - view("critic_b", 2 * a))
    np.testing.assert_allclose(value, sum(np.logaddexp(0, x).mean() for x in margins), rtol=1e-5)


def test_domains_of_other_channels_do_without_the_identity():
    colours = {**BATCH, "b": {"image": np.repeat(BATCH["b"]["image"], 3, axis=-1)}}
    nets = [Net(module, optax.sgd(0.0)) for module in (nn.Dense(3), nn.Dense(1), Judge())]
    own = cyclegan(*nets, identity=None)
    view = view_of(own, init_state(own, KEY, colours))
    value, aux = own.phases[0].loss(view, colours, KEY)
    np.testing.assert_allclose(value, aux.metrics["game"] + 10 * aux.metrics["cycle"], rtol=1e-5)
    sentence = r"network 'a_to_b' gets an input of shape \[8, 1, 1, 3\], of another .* \(3, 3\).* \(1, 3\)"
    with pytest.raises(UserError, match=sentence):
        cyclegan(*nets).phases[0].loss(view, colours, KEY)


def test_translations_are_held_against_the_truth_where_it_is_known():
    own = method()
    view = view_of(own, init_state(own, KEY, BATCH))
    a, b = (BATCH[d]["image"] for d in "ab")
    known = {"a": {"image": a, "target": 3 * a}, "b": {"image": b}}
    found = own.evaluate(view, known, KEY)
    np.testing.assert_allclose(found["error_a"], np.abs(2 * a - 3 * a).mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found["identity_error_a"], np.abs(a - 3 * a).mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found["cycle_b"], np.abs(1.4 * b - b).mean((1, 2, 3)), rtol=1e-5)
    assert found.keys() == {"error_a", "identity_error_a", "cycle_a", "cycle_b"}


def test_critics_see_the_pool_which_fills_in_the_order_of_the_examples():
    own = method(pool=12)
    view = view_of(own, init_state(own, KEY, BATCH))
    for filled in (8, 12):
        _, aux = own.phases[1].loss(view, BATCH, KEY)
        view = dataclasses.replace(view, memory=aux.memory)
        assert aux.memory["pool_a"].count == filled
        if filled == 8:
            np.testing.assert_allclose(view.memory["pool_b"].images[:8], 2 * BATCH["a"]["image"], rtol=1e-6)
    # A full pool of what a critic has never been told apart from 100 is what it is shown half of the time.
    far = jax.tree.map(lambda x: x, view.memory)
    far["pool_b"] = far["pool_b"]._replace(images=jnp.full_like(far["pool_b"].images, 100.0))
    losses = [own.phases[1].loss(dataclasses.replace(view, memory=m), BATCH, KEY)[0] for m in (view.memory, far)]
    assert losses[1] != losses[0]


def test_the_other_domain_may_be_somebody_s_own(tmp_path):
    for name, level in (("a", 10), ("b", 200)):
        np.save(tmp_path / f"{name}.npy", np.full((20, 16, 16, 1), level, np.uint8))
    file = ExperimentFile.load(find("cyclegan"))
    data = file.build(file.config(data=str(tmp_path / "a.npy"), target=str(tmp_path / "b.npy"))).data
    assert data.spec.keys() == {"a", "b"}
    for stream, level in (("a", 10), ("b", 200)):
        for split in (data.train, data.test):
            examples = split.sources[stream][np.arange(2)]
            np.testing.assert_allclose(examples["image"], level / 127.5 - 1, rtol=1e-5)
            assert "target" not in examples
