import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.layers.relative import RelativeBlock
from jaxgen.models.autoregressive.transformer_xl import TransformerXL


@pytest.fixture(autouse=True)
def _float64(x64):
    """Where equal logits are equal to many places."""


def model(**settings):
    return TransformerXL(5, width=8, layers=2, heads=2, **settings)


@pytest.fixture(scope="module")
def variables():
    with jax.enable_x64(True):
        shapes = jax.eval_shape(model().init, jax.random.key(0), np.zeros((1, 12), np.int32))
        rng = np.random.default_rng(0)
        return jax.tree.map(lambda p: rng.normal(0, p.shape[0] ** -0.5, p.shape), shapes)


X = np.random.default_rng(1).integers(0, 5, (2, 12)).astype(np.int32)


def test_segments_with_all_before_them_in_memory_are_one_long_segment(variables):
    whole = model(segment=12, memory=0).apply(variables, X)
    np.testing.assert_allclose(model(segment=3, memory=12).apply(variables, X), whole, rtol=0, atol=1e-12)
    forgetful = np.asarray(model(segment=3, memory=2).apply(variables, X)) - whole
    assert np.abs(forgetful[:, :3]).max() < 1e-12
    assert np.abs(forgetful[:, 6:]).min(0).max() > 1e-3


@pytest.mark.slow
def test_batches_that_follow_one_another_are_one_text_in_training_and_begin_anew_elsewhere(variables):
    one, rows = model(segment=3, memory=4), model(segment=3, memory=4, rows=2)
    whole = one.apply(variables, X)
    memory = rows.init(jax.random.key(0), X[:, :6])["memory"]
    first, moved = rows.apply({**variables, "memory": memory}, X[:, :6], mutable=["memory"])
    second, moved = rows.apply({**variables, **moved}, X[:, 6:], mutable=["memory"])
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=0, atol=1e-12)
    anew = rows.apply({**variables, **moved}, X[:, 6:])
    np.testing.assert_allclose(anew, one.apply(variables, X[:, 6:]), rtol=0, atol=1e-12)


def test_no_gradient_enters_what_was_read_before(variables):
    """A symbol of the first segment alone moves the second one's logits, but their gradient does not know of it."""
    x = np.concatenate([X[:, :6] % 2, 2 + X[:, 6:] % 2], axis=1)
    x[:, 5] = 1  # which the second segment reads
    net, embedding = model(segment=6, memory=6), variables["params"]["embed"]["embedding"]

    def loss(embedding):
        params = {**variables["params"], "embed": {"embedding": embedding}}
        return jnp.sum(net.apply({"params": params}, x)[:, 7:, 4])

    value, gradient = jax.jit(jax.value_and_grad(loss))(embedding)
    np.testing.assert_array_equal(gradient[0], 0)
    assert np.abs(gradient[2]).min() > 1e-6
    other = embedding + np.eye(5, 8)
    assert abs(loss(other) - value) > 1e-3


def test_attention_s_logits_are_the_papers_four_terms():
    """In loops, of one head: content to content, content to distance, and the two biases."""
    block, rng = RelativeBlock(width=4, heads=1, depth=1), np.random.default_rng(2)
    x, distance = rng.normal(size=(1, 3, 4)), np.arange(3)[:, None] - np.arange(3)
    init = jax.eval_shape(
        lambda: block.init(jax.random.key(0), x, np.zeros((1, 3, 1, 4)), np.zeros((1, 3, 1, 4)), distance)
    )
    params = jax.tree.map(lambda p: rng.normal(size=p.shape), init)["params"]
    params["key"] = {"kernel": rng.normal(size=(4, 1, 4))}
    params["value"] = {"kernel": rng.normal(size=(4, 1, 4))}
    params["back"] = jax.tree.map(np.zeros_like, params["back"])  # no MLP
    params["mix"] = {"kernel": np.eye(4)[None], "bias": np.zeros(4)}
    key, value = block.apply({"params": params}, x, method="keys_and_values")
    mixed = block.apply({"params": params}, x, key, value, distance) - x
    y = (x[0] - x[0].mean(-1, keepdims=True)) / np.sqrt(x[0].var(-1, keepdims=True) + 1e-6) * params["before"]["scale"]
    q, k, v = (y @ params[name]["kernel"][:, 0] for name in ("query", "key", "value"))
    for i in range(3):
        logits = []
        for j in range(i + 1):
            angles = (i - j) * np.array([1.0, 0.01])
            r = np.concatenate([np.sin(angles), np.cos(angles)]) @ params["distance"]["kernel"][:, 0]
            terms = q[i] @ k[j], q[i] @ r, params["to_content"][0] @ k[j], params["to_distance"][0] @ r
            logits.append(sum(terms) / 2)
        weights = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(mixed[0, i], weights @ v[: i + 1], rtol=1e-9)


def test_what_segments_and_rows_do_not_fit_is_refused(variables):
    with pytest.raises(UserError, match="12 symbols: make it a multiple of segment=5"):
        model(segment=5).apply(variables, X)
    rows = model(segment=6, rows=3)
    memory = jax.eval_shape(rows.init, jax.random.key(0), X)["memory"]
    with pytest.raises(UserError, match="2 examples, but rows=3"):
        jax.eval_shape(lambda m: rows.apply({**variables, "memory": m}, X, mutable=["memory"]), memory)
