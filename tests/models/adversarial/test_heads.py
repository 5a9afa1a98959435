"""Several answers of one trunk, and critics of pairs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgen.core import Net
from jaxgen.errors import UserError
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.acgan import acgan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.bigan import Encoder, PairCritic
from jaxgen.models.adversarial.conditional import WithLabel
from jaxgen.models.adversarial.dcgan import Generator, Trunk
from jaxgen.models.adversarial.heads import Heads, WithFeatures

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


def test_a_score_is_read_from_the_features_beside_it():
    module = WithFeatures(TRUNK)
    score, features = module.apply(
        variables := jax.jit(functools.partial(module.init, train=True))(KEY, X), X, train=True
    )
    score_of = variables["params"]["score"]
    np.testing.assert_allclose(score, (features @ score_of["kernel"] + score_of["bias"])[:, 0], rtol=1e-5)
    alone = TRUNK.apply({"params": variables["params"]["trunk"]}, X, train=True)
    np.testing.assert_allclose(features, alone, rtol=1e-5, atol=1e-6)


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


def test_heads_refuse_a_trunk_that_gives_maps():
    class Maps(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.Conv(3, (3, 3))(x)

    module = Heads(Maps(), {"label": 5})
    with pytest.raises(UserError, match=r"its trunk, Maps, gives \(4, 8, 8, 3\) for \(4, 8, 8, 1\)"):
        jax.eval_shape(functools.partial(module.init, train=True), KEY, X)


@pytest.mark.parametrize(
    ("heads", "sentence"),
    [
        ({"label": 4}, "AC-GAN reads 3 numbers from the critic's head 'label', but Heads gives 4"),
        ({"label": 3}, "AC-GAN reads 3 numbers from the critic's head 'twin', but Heads gives none; let its heads be"),
    ],
)
def test_a_method_refuses_heads_that_it_does_not_read(heads, sentence):
    game = functools.partial(acgan, loss=adversarial.hinge, prior=normal(2), classes=3, twin=True)
    method = game(Net(WithLabel(Generator((8, 8, 1), 4), 3)), Net(Heads(TRUNK, heads)))
    batch = {"image": X, "label": jnp.zeros(4, int)}
    with pytest.raises(UserError, match=sentence):
        jax.eval_shape(functools.partial(method.init, method.modules), KEY, batch)
