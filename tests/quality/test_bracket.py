"""Bounds of log p(x) of a linear model, whose evidence is known, by the command's own functions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jaxgen.core import Net
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import gaussian
from jaxgen.methods.latent.autoencoder import autoencoder
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.linear import LinearDecoder, LinearEncoder
from jaxgen.quality import bracket
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh

RNG = np.random.default_rng(0)
W, S = RNG.normal(size=(3, 2)).astype(np.float32), 0.8
X = RNG.multivariate_normal(np.zeros(3), W @ W.T + S**2 * np.eye(3), 10).astype(np.float32)
TRUTH = -stats.multivariate_normal(np.zeros(3), W @ W.T + S**2 * np.eye(3)).logpdf(X)
PARAMS = {
    "encoder": {"mean": {"kernel": 0.3 * W, "bias": np.zeros(2)}, "log_variance": np.array([-0.5, 0.1])},
    "decoder": {"mean": {"kernel": W.T, "bias": np.zeros(3)}, "log_variance": np.array(2 * np.log(S))},
}


@functools.cache
def trained(devices, method=None):
    nets = Net(LinearEncoder(2), optax.sgd(0.1)), Net(LinearDecoder((3, 1, 1)), optax.sgd(0.1))
    arrays = {"image": X.reshape(-1, 3, 1, 1)}
    source = Source("tiny", "test", lambda: {"image": arrays["image"][:1]}, lambda: Memory(arrays))
    experiment = Experiment(
        method=method or vae(*nets, gaussian, latent_size=2), data=Dataset(source, source),
        schedule=Schedule(1), batch_size=8, seed=0,
    )  # fmt: skip
    mesh = make_mesh(devices=jax.devices()[:devices])
    state = experiment.trainer(mesh).init()
    if method is None:
        for name, params in PARAMS.items():
            placed = jax.tree.map(
                lambda new, old: jax.device_put(jnp.asarray(new, old.dtype), old.sharding),
                params,
                state.nets[name].params,
            )
            state.nets[name] = state.nets[name].replace(params=placed)
    return experiment, state, mesh


def test_bounds_of_many_draws_come_to_the_evidence_and_are_the_same_on_four_devices():
    one, four = (bracket.importance_weighted(*trained(devices), draws=2000) for devices in (1, 4))
    elbo, bound = one["rows"]
    assert bound["mean"] == pytest.approx(TRUTH.mean(), abs=0.02)
    assert elbo["mean"] > TRUTH.mean() + 0.1
    assert (bound["draws"], bound["examples"]) == (2000, 10)
    for a, b in zip(one["rows"], four["rows"], strict=True):
        assert b["mean"] == pytest.approx(a["mean"], rel=1e-5)
    variances = (X @ (0.3 * W)).var(0)
    assert one["active_units"] == four["active_units"] == {"value": int((variances > 0.01).sum()), "of": 2}


@pytest.mark.slow
def test_annealed_chains_bracket_what_the_model_draws_and_come_near_what_is_held_out(monkeypatch):
    monkeypatch.setattr(bracket, "LEAPFROGS", 3)
    rows = {row["figure"]: row for row in bracket.annealed(*trained(1), temperatures=60)}
    assert rows["ais_nats"]["mean"] == pytest.approx(TRUTH[:8].mean(), abs=0.1)
    lower, upper = rows["bdmc_own_nats"]["mean"], rows["ais_own_nats"]["mean"]
    assert -0.05 < rows["bdmc_gap_nats"]["mean"] == pytest.approx(upper - lower, abs=1e-4)
    assert rows["bdmc_gap_nats"]["mean"] < 0.3
    assert (rows["ais_nats"]["examples"], rows["ais_own_nats"]["examples"]) == (8, 100)


@pytest.mark.slow
def test_with_two_temperatures_nothing_is_annealed_and_the_upper_bound_is_what_z_itself_says(monkeypatch):
    """Its chains start at the z that x was drawn with: log p(x|z), whose mean is that of three normals' logarithms."""
    monkeypatch.setattr(bracket, "LEAPFROGS", 1)
    rows = {row["figure"]: row["mean"] for row in bracket.annealed(*trained(1), temperatures=2)}
    assert rows["bdmc_own_nats"] == pytest.approx(1.5 * (np.log(2 * np.pi * S**2) + 1), abs=0.4)


def test_the_gap_is_split_into_the_family_s_and_the_encoder_s():
    """The best diagonal q has the posterior's own precisions, the encoder's its own: both gaps are known."""
    rows = {row["figure"]: row["mean"] for row in bracket.refined(*trained(1), steps=300, draws=2000)}
    precision = np.eye(2) + W.T @ W / S**2
    family = (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]) / 2
    apart = X[:8] @ (0.3 * W) - X[:8] @ W @ np.linalg.inv(precision) / S**2
    variance = np.exp(PARAMS["encoder"]["log_variance"])
    squares = np.diag(precision) @ variance + np.einsum("bi,ij,bj->b", apart, precision, apart).mean()
    whole = (squares - 2 - np.log(variance).sum() - np.linalg.slogdet(precision)[1]) / 2
    assert rows["approximation_gap_nats"] == pytest.approx(family, abs=0.02)
    assert rows["amortization_gap_nats"] == pytest.approx(whole - family, abs=0.05)


def test_what_cannot_be_bounded_is_refused():
    plain = autoencoder(Net(LinearEncoder(2), optax.sgd(0.1)), Net(LinearDecoder((3, 1, 1)), optax.sgd(0.1)))
    experiment = Experiment(
        method=plain, data=trained(1)[0].data, schedule=Schedule(1), batch_size=8, seed=0
    )  # fmt: skip
    with pytest.raises(UserError, match="autoencoder has no latent variables"):
        bracket.importance_weighted(experiment, trained(1)[1], trained(1)[2], draws=10)
    with pytest.raises(UserError, match="draws is 0"):
        bracket.importance_weighted(*trained(1), draws=0)
    with pytest.raises(UserError, match="refine is 0"):
        bracket.refined(*trained(1), steps=0)
    with pytest.raises(UserError, match="temperatures is 1"):
        bracket.annealed(*trained(1), temperatures=1)
