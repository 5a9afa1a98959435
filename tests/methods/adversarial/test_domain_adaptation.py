"""Domain adaptation: the features' gradient by hand, and two shifted Gaussians whose shift it undoes."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.experiment import Experiment, ExperimentFile
from jaxgen.fitting import fit
from jaxgen.methods.adversarial.domain_adaptation import domain_adversarial
from jaxgen.shipped import find
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.step import init_state

KEY = jax.random.key(0)


class Linear(nn.Module):
    outputs: int = 1

    @nn.compact
    def __call__(self, x):
        y = nn.Dense(self.outputs)(x)
        return y if self.outputs > 1 else y[:, 0]


def arrays(count, shift, seed):
    """Classes at -2 and 2 of the first coordinate; the second tells domains apart, and the classes of the source."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, count)
    x = rng.normal(0, 0.5, (count, 2)) + np.stack([4.0 * label - 2, np.full(count, shift)], 1)
    return {"x": x.astype(np.float32), "label": label.astype(np.int32)}


def data(source=64, target=48):
    def of(fields):
        one = Source("gaussians", "train", lambda: {k: x[:1] for k, x in fields.items()}, lambda: Memory(fields))
        return Dataset(one, one)

    return Dataset.streams(source=of(arrays(source, 0.0, 0)), target=of(arrays(target, 3.0, 1)))


def method(strength, rate=0.1):
    nets = (Net(Linear(outputs), optax.sgd(rate)) for outputs in (2, 2, 1))
    return domain_adversarial(*nets, strength=strength, field="x")


def test_features_descend_the_labels_and_climb_the_domains_and_the_domain_feels_no_strength():
    own, batch = method(0.3), {"source": arrays(16, 0.0, 0), "target": arrays(16, 3.0, 1)}
    view = view_of(own, jax.jit(lambda: init_state(own, KEY, batch))())

    def parts(params):
        seen = dataclasses.replace(view, params=params)
        f = [seen("features", batch[s]["x"]) for s in ("source", "target")]
        nats = optax.softmax_cross_entropy_with_integer_labels(seen("classifier", f[0]), batch["source"]["label"])
        domain = jnp.mean(jax.nn.softplus(-seen("domain", f[0]))) + jnp.mean(jax.nn.softplus(seen("domain", f[1])))
        return jnp.stack([jnp.mean(nats), domain])

    loss = jax.grad(lambda p: own.phases[0].loss(dataclasses.replace(view, params=p), batch, KEY)[0])
    got, by_part = jax.jit(lambda p: (loss(p), jax.jacobian(parts)(p)))(view.params)
    for net, sign in (("features", -0.3), ("classifier", 1.0), ("domain", 1.0)):
        for leaf, jacobian in zip(jax.tree.leaves(got[net]), jax.tree.leaves(by_part[net]), strict=True):
            np.testing.assert_allclose(leaf, jacobian[0] + sign * jacobian[1], rtol=1e-4, atol=1e-6)


def test_labels_of_the_target_have_no_part_in_training():
    """They are there to measure by: other ones, or none, change no loss."""
    own, batch = method(0.3), {"source": arrays(16, 0.0, 0), "target": arrays(16, 3.0, 1)}
    other = {**batch["target"], "label": 1 - batch["target"]["label"]}
    view = view_of(own, jax.jit(lambda: init_state(own, KEY, batch))())
    losses = jax.jit(lambda batches: [own.phases[0].loss(view, each, KEY)[0] for each in batches])(
        [batch, {**batch, "target": other}, {**batch, "target": {"x": other["x"]}}]
    )
    assert losses[0] == losses[1] == losses[2]
    figures = jax.jit(lambda batch: own.evaluate(view, batch, KEY))({"target": other})
    assert figures["target_accuracy"].mean() == 1 - own.evaluate(view, batch, KEY)["target_accuracy"].mean()


def test_the_experiment_s_momentum_goes_on_while_its_rate_falls():
    """By the recursion: an optimizer made anew at every rate would forget what it was moving at."""
    file = ExperimentFile.load(find("dann"))
    optimizer = file.build(file.config(steps=10)).method.nets["features"].optimizer
    params = moved = np.zeros(())
    state, velocity = optimizer.init(params), 0.0
    for step in range(10):
        updates, state = optimizer.update(np.ones(()), state, params)
        velocity = 0.9 * velocity + 1.0
        moved = moved - 0.01 / (1 + 10 * step / 10) ** 0.75 * velocity
        params = optax.apply_updates(params, updates)
        assert float(params) == pytest.approx(float(moved), rel=1e-5)


def test_streams_of_unequal_lengths_pair_at_chance_and_every_target_is_seen():
    experiment = Experiment(method=method(0.0), data=data(), schedule=Schedule(8), batch_size=16, seed=0)
    trainer = experiment.trainer(make_mesh(devices=jax.devices()[:1]))
    batches = trainer.batches(0)
    seen = [next(batches) for _ in range(12)]
    batches.close()
    target = np.concatenate([np.asarray(b["target"]["x"]).reshape(-1, 2) for b in seen[:3]])
    assert len(np.unique(target, axis=0)) == 48
    source = np.concatenate([np.asarray(b["source"]["x"]).reshape(-1, 2) for b in seen[:4]])
    assert len(np.unique(source, axis=0)) == 64
    pairs = {
        (tuple(a), tuple(b))
        for each in seen
        for a, b in zip(*(np.asarray(each[s]["x"]).reshape(-1, 2).tolist() for s in ("source", "target")), strict=True)
    }
    assert len(pairs) > 150  # of 192; with one partner for good there were 64


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_only_with_the_reversal_domains_become_alike(strength):
    state, history = fit(method(strength, rate=0.05), data(), steps=400, key=KEY, batch_size=16)
    told_apart = history["adapt/domain_accuracy"][-100:].mean()
    assert (told_apart > 0.95) == (strength == 0.0)
    own = method(strength)
    figures = own.evaluate(view_of(own, state), {"target": arrays(500, 3.0, 2)}, KEY)
    assert figures["target_accuracy"].mean() > 0.95  # here the shift is not across the classes
