"""The oracle's probabilities against Flax's cell, and its samples against its probabilities."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgen.data.lstm_oracle import LSTMOracle


def test_probabilities_are_those_of_flax_s_lstm():
    oracle = LSTMOracle(vocabulary=5, length=4, width=3, seed=1)
    w, tokens = oracle.weights, np.random.default_rng(0).integers(0, 5, (6, 4))
    names = [f"{kind}{gate}" for kind in "ih" for gate in "ifgo"]
    parts = [*jnp.split(w.inputs, 4, 1), *jnp.split(w.states, 4, 1)]
    params = {name: {"kernel": part} for name, part in zip(names, parts, strict=True)}
    for gate, bias in zip("ifgo", jnp.split(w.bias, 4), strict=True):
        params[f"h{gate}"]["bias"] = bias
    before = np.concatenate([np.full((6, 1), 5), tokens[:, :-1]], axis=1)
    hidden = nn.RNN(nn.OptimizedLSTMCell(3)).apply({"params": {"cell": params}}, w.embedding[before])
    log_p = jax.nn.log_softmax(hidden @ w.output + w.output_bias)
    expected = np.take_along_axis(np.asarray(log_p), tokens[..., None], -1)[..., 0]
    np.testing.assert_allclose(oracle.log_prob(tokens), expected, rtol=1e-4, atol=1e-5)


def test_samples_are_as_frequent_as_they_are_probable():
    oracle = LSTMOracle(vocabulary=3, length=3, width=4)
    every = np.array(list(itertools.product(range(3), repeat=3)))
    p = np.exp(oracle.log_prob(every).sum(1))
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-5)
    data = oracle.dataset(train=4000, test=4000)
    for split in (data.train, data.test):
        tokens = split[np.arange(4000)]["tokens"]
        seen = np.bincount(tokens @ [9, 3, 1], minlength=27) / 4000
        np.testing.assert_allclose(seen, p, atol=4.5 * np.sqrt(p.max() / 4000))
    assert (data.train[np.arange(50)]["tokens"] != data.test[np.arange(50)]["tokens"]).any()
