"""Several answers of one trunk, and critics of pairs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.models.adversarial.bigan import Encoder, PairCritic
from jaxgen.models.adversarial.dcgan import Trunk
from jaxgen.models.adversarial.heads import Heads

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (4, 8, 8, 1))
Z = jax.random.normal(jax.random.key(1), (4, 3))
TRUNK = Trunk(4, normalization=None)


def test_all_heads_move_one_trunk():
    module = Heads(TRUNK, {"label": 5, "angle": 2}, hidden=6)
    variables = jax.jit(functools.partial(module.init, train=True))(KEY, X)
    score, outputs = module.apply(variables, X, train=True)
    assert (score.shape, outputs["label"].shape, outputs["angle"].shape) == ((4,), (4, 5), (4, 2))

    @functools.partial(jax.jit, static_argnums=1)
    def gradient(params, which):
        def loss(params):
            score, outputs = module.apply({"params": params}, X, train=True)
            return jnp.var(score) if which == "score" else jnp.var(outputs[which])

        return jax.grad(loss)(params)

    for which, others in (("score", ("label", "angle", "hidden")), ("label", ("score", "angle"))):
        moved = gradient(variables["params"], which)
        assert np.abs(moved["trunk"]["down_0"]["kernel"]).max() > 0
        for name in others:
            assert not moved[name]["kernel"].any()


def test_a_pair_s_critic_sees_both_and_unary_scores_one_each():
    critic = PairCritic(TRUNK, hidden=8, unary=True)
    variables = jax.jit(functools.partial(critic.init, train=True))(KEY, X, Z)
    judge = jax.jit(functools.partial(critic.apply, variables, train=True))
    pair, of_x, of_z = judge(X, Z)
    for x, z, moved in ((X[::-1], Z, (True, True, False)), (X, Z[::-1], (True, False, True))):
        found = [bool(np.abs(a - b).max() > 1e-4) for a, b in zip(judge(x, z), (pair, of_x, of_z), strict=True)]
        assert found == list(moved)
    plain = PairCritic(TRUNK, hidden=8)
    score = plain.apply(
        {"params": {k: v for k, v in variables["params"].items() if k not in ("score_x", "score_z")}}, X, Z, train=True
    )
    np.testing.assert_allclose(score, pair, atol=1e-6)


def test_an_encoder_gives_latents():
    encoder = Encoder(TRUNK, 3)
    z, _ = jax.eval_shape(functools.partial(encoder.init_with_output, train=True), KEY, X)
    assert z.shape == Z.shape
