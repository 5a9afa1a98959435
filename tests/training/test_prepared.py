"""Data and methods meet: what does not fit is refused before anything compiles, and examples are made in the step."""

import dataclasses

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Aux, Method, Net, Phase
from jaxgen.data.check import check_declarations, check_examples
from jaxgen.data.computed import generated
from jaxgen.data.embedded import digits
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.data.transforms import binarize, on_image, signed_unit
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.fields import Field
from jaxgen.fitting import fit
from jaxgen.likelihoods import bernoulli, discretized_logistic
from jaxgen.losses.adversarial import non_saturating
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.classification import classification
from jaxgen.methods.flow.flow import flow, image_flow
from jaxgen.methods.latent.vae import vae
from jaxgen.training.prepared import prepared
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh

NET = Net(nn.Dense(1), optax.sgd(0.1))
MESH = make_mesh(devices=jax.devices()[:1])
SHAPE = (8, 8, 1)
METHODS = {
    "bernoulli": lambda: vae(NET, NET, bernoulli, latent_size=2),
    "logistic": lambda: vae(NET, NET, discretized_logistic(17), latent_size=2),
    "gan": lambda: gan(NET, NET, non_saturating, prior=normal(2)),
    "classes": lambda: gan(NET, NET, non_saturating, prior=normal(2), classes=10),
    "image_flow": lambda: image_flow(NET, event_shape=SHAPE, levels=17),
    "flow": lambda: flow(NET, event_shape=SHAPE),
    "classification": lambda: classification(NET, inputs="image"),
}


LEVELS, SIGNED, UNIT = digits(), digits().map(signed_unit(17)), digits().map_once(binarize(17))
FLAT = SIGNED.map(on_image(lambda x: x.reshape(len(x), -1)))
DATA = {"levels": LEVELS, "signed": SIGNED, "unit": UNIT, "flat": FLAT}
FIT = {
    "bernoulli": {"unit"},
    "logistic": {"signed"},
    "gan": {"signed"},
    "classes": {"signed"},
    "image_flow": {"levels"},
    "flow": set(),
    "classification": {*DATA},
}


def experiment(method, data):
    return Experiment(method=method, data=data, schedule=Schedule(1), batch_size=4, seed=0)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("method", METHODS)
def test_methods_refuse_data_of_other_values_before_anything_is_traced(method, data):
    """FAULTS 1: the networks here cannot even be initialized."""
    made = experiment(METHODS[method](), DATA[data])
    if data in FIT[method]:
        check_declarations(made.method.takes, made.data, method=made.method.name)
    else:
        with pytest.raises(UserError, match=r"(image of digits has .* where|takes a field 'x', which digits has not)"):
            made.trainer(MESH)


@pytest.mark.parametrize(
    ("method", "data", "message"),
    [
        ("gan", LEVELS.map(on_image(lambda x: x / np.float32(16))), "image of digits/train has no value below 0"),
        ("bernoulli", LEVELS.map(on_image(lambda x: x + np.float32(0))), "image of digits/train has the value "),
        (
            "classification",
            LEVELS.map(lambda x: {**x, "label": x["label"] - 1}),
            "label of digits/train has the value -1",
        ),
        ("classes", SIGNED.map(lambda x: {**x, "label": x["label"] + 1}), "label of digits/train has the value 10 w"),
    ],
)
def test_data_that_declares_nothing_is_looked_at_before_the_first_batch(method, data, message):
    """FAULTS 1 and 4."""
    made = experiment(METHODS[method](), data)
    stage = made.plan[0]
    check_declarations(stage.method.takes, stage.data, method=stage.method.name)
    with pytest.raises(UserError, match=message):
        check_examples(stage.method.takes, stage.data, method=stage.method.name)


def regression():
    """A line fitted to the fields x and y."""

    def loss(view, batch, key):
        return jnp.mean((view("line", batch["x"]) - batch["y"]) ** 2), Aux()

    return Method(
        "regression",
        {"line": NET},
        (Phase("line", ("line",), loss, accumulate=2),),
        lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
        None,
        lambda view, batch, key: {"error": (view("line", batch["x"]) - batch["y"])[:, 0] ** 2},
        memory=lambda key, batch: {"first": batch["y"]},
    )


def points(key):
    x = jax.random.normal(key, (3,))
    return {"x": x, "y": jnp.sum(x, keepdims=True)}


@pytest.mark.parametrize("streamed", [False, True])
def test_examples_made_in_the_step_train_and_evaluate_like_those_sent_to_it(streamed):
    made = generated("points", points, train=40, test=10, on_device=True)
    splits = [Memory(source[np.arange(len(source))]) for source in (made.train, made.test)]
    sent = Dataset(*(Source("points", "sent", made.train.describe, lambda table=table: table) for table in splits))
    method = regression()
    assert made.train.batch_spec(8)["number"].shape == (8, 3)
    if streamed:
        made, sent = Dataset.streams(points=made), Dataset.streams(points=sent)
        method = prepared(method, lambda batch: batch["points"])
    results = []
    for data in (made, sent):
        state, history = fit(method, data, steps=3, key=jax.random.key(0), batch_size=8)
        figures = experiment(method, data).evaluate(state, make_mesh())["figures"]
        results.append((state.nets["line"].params, state.memory, history, figures))
    chex.assert_trees_all_close(*results, rtol=1e-5)
    assert results[0][3]["error"]["mean"] < results[0][2]["line/loss"][0]


def test_training_looks_at_real_examples_before_it_compiles():
    method = dataclasses.replace(regression(), takes={"y": Field(-1, 1)})
    arrays = {"x": np.ones((8, 3), np.float32), "y": np.full((8, 1), -3, np.float32)}
    with pytest.raises(UserError, match="y of arrays/train has the value -3 where regression takes values from -1 to"):
        fit(method, arrays, steps=1, key=jax.random.key(0), batch_size=8)
