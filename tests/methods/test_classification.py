"""Classification against scikit-learn's logistic regression."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.linear_model import LogisticRegression

from jaxgen.core import Net, view_of
from jaxgen.methods.classification import classification
from jaxgen.training.step import build_step, init_state


class Linear(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(3)(x)


def test_a_linear_classifier_finds_the_maximum_of_likelihood():
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=300)
    batch = {"x": (rng.normal(size=(300, 2)) + label[:, None] * [1, -0.5]).astype(np.float32), "label": label}
    method = classification(Net(Linear(), optax.adam(0.05)), inputs="x")
    state, step = init_state(method, jax.random.key(0), batch), build_step(method)
    once = jax.tree.map(lambda x: jnp.asarray(x)[None], batch)
    run = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(s, once, jax.random.key(1)), s, None, 1000))
    state, metrics = run(state)
    reference = LogisticRegression(C=1e9, tol=1e-8, max_iter=1000).fit(batch["x"], label)
    view = view_of(method, state)
    found = jax.nn.softmax(view("classifier", batch["x"], train=False))
    np.testing.assert_allclose(found, reference.predict_proba(batch["x"]), atol=1e-3)
    accuracy = method.evaluate(view, batch, jax.random.key(0))["accuracy"].mean()
    assert accuracy == metrics["classifier/accuracy"][-1]
    np.testing.assert_allclose(accuracy, reference.score(batch["x"], label), atol=1e-6)
