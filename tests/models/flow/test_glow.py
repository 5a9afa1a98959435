import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from jaxgen.bijectors.coupling import Affine
from jaxgen.bijectors.rotation import Rotation
from jaxgen.core import Net, view_of
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.glow import glow
from jaxgen.training.sharding import batch_sharding, make_mesh, placement, replicated, state_shardings
from jaxgen.training.step import init_state


@pytest.mark.quick("bfloat16-*")
@pytest.mark.parametrize(("dtype", "worst", "typical"), [(None, 1e-4, 1e-5), (jnp.bfloat16, 2e-2, 1e-3)])
def test_half_precision_networks_leave_the_flow_wide(dtype, worst, typical):
    """The path and the log-dets stay float32; the round trip is good to the rounding of what the networks read."""
    flow = glow(steps=2, levels=1, width=8, dtype=dtype)
    x = np.random.default_rng(0).random((16, 8, 8, 3), np.float32)
    variables = jax.jit(flow.init)(jax.random.key(1), x)
    assert {p.dtype for p in jax.tree.leaves(variables["params"])} == {jnp.dtype("float32")}
    variables = {**variables, "params": jax.tree.map(lambda p: np.asarray(p) + np.float32(0.02), variables["params"])}
    z, log_det = jax.jit(flow.apply)(variables, x)
    assert z.dtype == log_det.dtype == jnp.float32
    again, _ = jax.jit(functools.partial(flow.apply, method="forward_and_log_det"))(variables, z)
    error = np.abs(again - x)
    assert error.max() < worst
    assert error.mean() < typical


def test_density_integrates_to_one():
    """Importance sampling over the smallest image, 2x2x1, from a wide Gaussian: the mean density ratio is 1."""
    flow = glow(steps=2, levels=1, width=4, transform=Affine(bound=0.5))
    rng = np.random.default_rng(0)
    variables = jax.jit(flow.init)(jax.random.key(1), rng.random((256, 2, 2, 1), np.float32))
    variables = {**variables, "params": jax.tree.map(lambda p: np.asarray(p) + np.float32(0.05), variables["params"])}
    noise = rng.standard_normal((200_000, 2, 2, 1), np.float32)
    samples, _ = jax.jit(functools.partial(flow.apply, method="forward_and_log_det"))(variables, noise)
    samples = np.asarray(samples).reshape(-1, 4)
    proposal = scipy.stats.multivariate_normal(samples.mean(0), 4.0 * np.cov(samples.T))
    x = proposal.rvs(len(noise), random_state=1)
    z, log_det = map(np.asarray, jax.jit(flow.apply)(variables, x.astype(np.float32).reshape(noise.shape)))
    log_density = scipy.stats.norm.logpdf(z).sum((1, 2, 3)) + log_det
    ratio = np.exp(log_density - proposal.logpdf(x))
    error = np.std(ratio) / np.sqrt(len(ratio))
    assert error < 0.01
    assert abs(np.mean(ratio) - 1.0) < 4 * error


def test_compile_size_does_not_grow_with_steps():
    """The steps of a level are one compiled loop on every backend: their networks are matrix products."""
    x = jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.float32)

    def size(steps: int) -> int:
        flow = glow(steps, levels=2, width=4)
        variables = jax.eval_shape(flow.init, jax.random.key(0), x)
        return jax.jit(flow.apply).lower(variables, x).as_text().count("\n")

    assert size(12) < 1.1 * size(2)


def test_what_mixes_the_channels_is_chosen_for_every_level():
    x = jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.float32)
    shapes = jax.eval_shape(glow(steps=3, levels=2, width=4, mix=Rotation).init, jax.random.key(0), x)
    leaves = [(path[-1].key, leaf.shape) for path, leaf in jax.tree_util.tree_leaves_with_path(shapes["params"])]
    assert [shape for name, shape in leaves if name == "vectors"] == [(3, 4, 4), (3, 8, 8)]
    assert "lower" not in dict(leaves)  # of an invertible convolution


def test_temperature_contracts_samples_towards_the_mode():
    flow = glow(steps=1, levels=1, width=4)
    rng = np.random.default_rng(0)
    variables = jax.jit(flow.init)(jax.random.key(1), rng.random((64, 4, 4, 1), np.float32))
    z = rng.standard_normal((64, 4, 4, 1), np.float32)
    sample = jax.jit(lambda z: flow.apply(variables, z, method="forward_and_log_det")[0])
    mode, warm, cool = (np.asarray(sample(np.float32(t) * z)) for t in (0.0, 1.0, 0.5))
    # Couplings start as the identity, so the flow is linear here.
    np.testing.assert_allclose(cool - mode, 0.5 * (warm - mode), atol=1e-5)


def test_evaluation_on_four_devices_gathers_nothing_but_its_figures():
    batch = {"image": jax.ShapeDtypeStruct((16, 8, 8, 3), jnp.uint8)}
    method = image_flow(Net(glow(2, levels=2, width=8)), event_shape=(8, 8, 3))
    mesh = make_mesh(devices=jax.devices()[:4])
    state = jax.eval_shape(lambda key, batch: init_state(method, key, batch), jax.random.key(0), batch)
    shardings = state_shardings(state, mesh, {})

    def figures(state, batch):
        view = view_of(method, state, placement(mesh, shardings))
        return method.evaluate(view, batch, jax.random.key(1))["bits_per_dim"]

    split, whole = batch_sharding(mesh), replicated(mesh)
    compiled = jax.jit(figures, in_shardings=(shardings, split), out_shardings=whole).lower(state, batch).compile()
    moved = re.findall(r"= \w+\[([\d,]*)\]\S* (all-\S+|collective\S+|reduce-scatter)\(", compiled.as_text())
    assert moved == [("16", "all-gather")]


@pytest.mark.slow
def test_memory_saves_activations_and_leaves_gradients():
    rng = np.random.default_rng(0)
    x = rng.random((16, 8, 8, 1), np.float32)
    temporaries, gradients = {}, {}
    for memory, steps in (("plain", 8), ("remat", 8), ("reversible", 8), ("reversible", 32)):
        flow = glow(steps, levels=1, width=32, memory=memory)
        shapes = jax.eval_shape(flow.init, jax.random.key(1), x)

        def loss(params, constants, flow=flow):
            z, log_det = flow.apply({"params": params, **constants}, x)
            return jnp.mean(jnp.square(z)) - jnp.mean(log_det)

        compiled = jax.jit(jax.grad(loss)).lower(shapes.pop("params"), shapes).compile()
        temporaries[memory, steps] = compiled.memory_analysis().temp_size_in_bytes
        if memory == "plain":
            constants = dict(jax.jit(flow.init)(jax.random.key(1), x))
            start = constants.pop("params")
            params = jax.tree.map(lambda p: p + 0.02 * rng.standard_normal(p.shape, np.float32), start)
        if steps == 8:
            gradients[memory] = compiled(params, constants)
    for memory in ("remat", "reversible"):
        assert temporaries[memory, 8] < 0.5 * temporaries["plain", 8]
        difference = optax.tree.norm(optax.tree.sub(gradients[memory], gradients["plain"]))
        assert difference < 1e-5 * optax.tree.norm(gradients["plain"])
    assert temporaries["reversible", 32] <= 1.2 * temporaries["reversible", 8]
