"""The tree of `tree_vae` grows where the latents of its first stage are."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgen.core import Net, NetState, TrainState
from jaxgen.experiment import ExperimentFile
from jaxgen.losses import tree as crp
from jaxgen.models.latent.priors import TreePrior
from jaxgen.shipped import find


class Itself(nn.Module):
    """An encoder whose latents are the points it is shown."""

    @nn.compact
    def __call__(self, x):
        return x + self.param("shift", nn.initializers.zeros, ()), jnp.zeros_like(x)


def state_of(params, variables):
    nets = {
        name: NetState(params.get(name, {}), variables.get(name, {}), (), params.get(name))
        for name in params | variables
    }
    return TrainState(jnp.zeros((), int), jnp.zeros((), int), nets)


def test_planted_clusters_are_leaves_before_the_second_stage_s_first_step():
    grown = ExperimentFile.load(find("tree_vae")).module.grown
    centres = 4 * np.array([[1, 1, 0], [1, -1, 0], [-1, 0, 1], [-1, 0, -1]])
    label = np.arange(200) % 4
    points = np.float32(centres[label] + 0.3 * np.random.default_rng(0).normal(size=(200, 3)))
    process = crp.Process((2, 2), data_variance=0.1)
    encoder, prior = {"shift": jnp.zeros(())}, TreePrior(process, 3, 200)
    first = prior.init(jax.random.key(3), points, method="learn")
    old = state_of({"encoder": encoder}, {})
    fresh = state_of({"encoder": encoder}, {"prior": {"tree": first["tree"]}})
    known = jax.jit(grown(Net(Itself()), points, process, 0))(old, fresh).nets["prior"].variables["tree"]
    apart = np.linalg.norm(np.asarray(known["tree"].means[-1])[:, None] - centres, axis=-1)
    assert sorted(apart.argmin(1)) == [0, 1, 2, 3]
    np.testing.assert_allclose(apart.min(1), 0, atol=0.15)
    np.testing.assert_allclose(known["counts"], 50, rtol=1e-3)
    means = [points[label == k].mean(0) for k in apart.argmin(1)]
    np.testing.assert_allclose(known["sums"], 50 * np.array(means), atol=0.05)
    swept, data = first["tree"]["tree"], crp.Data(points, jnp.zeros(()), jnp.zeros(200, int))
    sweep = jax.jit(lambda tree: crp.sweep(data, tree, process)[0])
    for _ in range(20):
        swept = sweep(swept)
    alone = np.linalg.norm(np.asarray(swept.means[-1])[:, None] - centres, axis=-1)
    assert len(set(alone.argmin(1))) < 4  # sweeps do not find them


def test_leaves_of_one_parent_are_nearer_than_those_of_others():
    kinship = ExperimentFile.load(find("tree_vae")).module.kinship
    places = np.array([[0.0], [1.0], [10.0], [11.0], [20.0], [21.0]])
    across = [(a - b) ** 2 for i, a in enumerate(places[:, 0]) for j, b in enumerate(places[:, 0]) if i // 2 != j // 2]
    found = kinship(places, 2)
    assert found["siblings_apart"] == 1 / np.mean(across)
    assert found["siblings_apart_shuffled"] >= found["siblings_apart"]
    assert kinship(places[[0, 2, 4, 1, 3, 5]], 2)["siblings_apart"] > 0.5  # as parents that know nothing
