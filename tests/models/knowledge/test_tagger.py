"""The tagger: its size by hand, what each logit depends on, and precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models.knowledge.tagger import BiLSTMTagger

WORDS = jnp.array([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0]])


@pytest.fixture(scope="module")
def tagger():
    module = BiLSTMTagger(vocabulary=7, tags=3, hidden=4)
    return module, jax.jit(lambda key: module.init(key, WORDS, train=False))(jax.random.key(0))


def test_size_by_hand(tagger):
    _, variables = tagger
    lstm = 4 * (4 * 4 + 4 * 4 + 4)  # four gates of inputs, of the state, and biases
    assert sum(x.size for x in jax.tree.leaves(variables)) == 7 * 4 + 2 * lstm + (8 * 3 + 3)


def test_each_logit_sees_its_whole_sentence_and_nothing_else(tagger):
    module, variables = tagger

    @jax.jit
    def logits(words):
        return module.apply(variables, words, train=False)

    before = logits(WORDS)
    assert before.shape == (2, 5, 3)
    for changed in (WORDS.at[0, 0].set(6), WORDS.at[0, 4].set(6)):
        moved = np.abs(np.array(logits(changed) - before)).max(-1)
        assert (moved[0] > 1e-7).all()
        assert not moved[1].any()
    # More padding changes nothing, so the direction from the right begins at the last word.
    np.testing.assert_allclose(logits(WORDS[1:, :2])[0], before[1, :2], atol=1e-6)


def test_dropout_is_for_training_and_bfloat16_for_computation(tagger):
    module, variables = tagger
    dropping = module.clone(dropout=0.5)
    drop = jax.jit(lambda key: dropping.apply(variables, WORDS, train=True, rngs={"dropout": key}))
    first, second = (drop(jax.random.key(seed)) for seed in (1, 2))
    assert jnp.abs(first - second).max() > 1e-3
    networks = module, dropping, module.clone(dtype=jnp.bfloat16)
    exact, kept, rough = (jax.jit(lambda m=m: m.apply(variables, WORDS, train=False))() for m in networks)
    np.testing.assert_array_equal(kept, exact)
    assert rough.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(rough.astype(jnp.float32), exact, atol=0.02)
