"""Every method against one table: a row is a constructor of tiny networks, and buys what every method must show."""

import importlib
import inspect
import pkgutil
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from methods_table import KEY, TABLE, steps, trainer

import jaxgen.methods
from jaxgen.core import Method, view_of


def constructors():
    """The public functions of `jaxgen.methods` that return a method."""
    for module in pkgutil.walk_packages(jaxgen.methods.__path__, "jaxgen.methods."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if function.__module__ == module.name and inspect.signature(function).return_annotation is Method:
                yield name, function


def test_every_method_has_a_row():
    """Each constructor's code runs as the rows are built."""
    codes, ran = {function.__code__: name for name, function in constructors() if name[0] != "_"}, set()

    def watch(frame, event, _):
        ran.add(codes.get(frame.f_code))

    sys.setprofile(watch)
    try:
        for row in TABLE.values():
            row.build()
    finally:
        sys.setprofile(None)
    assert set(codes.values()) - ran == set()


def rows(*, but=""):
    return pytest.mark.parametrize("name", [name for name, row in TABLE.items() if but not in row.without or not but])


@pytest.fixture(scope="module", autouse=True)
def kept():
    yield
    trainer.cache_clear()


@pytest.mark.quick("gan lazy", "reinforce", "flow", "vae", "likelihood", "rule distillation", "cyclegan")
@rows()
def test_a_resumed_run_is_bit_for_bit_the_same_and_its_figures_are_of_each_example(name):
    one = trainer(name)
    whole, history = steps(one, 5)
    half, _ = steps(one, 3)
    placed = jax.device_put(half, one.shardings)
    parts, _ = steps(one, 2, state=placed, start=3)
    chex.assert_trees_all_equal(parts, whole)
    assert all(np.isfinite(value).all() for metrics in history for value in metrics.values())
    assert {phase.name for phase in one.method.phases} == {name.rpartition("/")[0] for name in history[0]}


@pytest.mark.quick("gan", "vae", "flow", "likelihood", "rule distillation", "cyclegan")
@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.falls])
def test_the_loss_falls(name):
    one = trainer(name)
    _, history = steps(one, 60)
    course = [float(metrics[TABLE[name].falls][0]) for metrics in history]
    assert np.mean(course[-5:]) < np.mean(course[:5])


@pytest.mark.quick("gan", "flow", "likelihood")
@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if not {"busy", "bfloat16"} <= {*row.without}])
def test_networks_of_any_kind_of_state_train_in_half_precision(name):
    """Batch normalization, dropout and their like, in bfloat16, in every network that a phase trains."""
    words = {"busy": {"busy": True}, "bfloat16": {"dtype": jnp.bfloat16}}
    variant = dict(item for word in words.keys() - {*TABLE[name].without} for item in words[word].items())
    one = trainer(name, **variant)
    before, (after, history) = jax.device_get(one.init()), steps(one, 2)
    trained = {net for phase in one.method.phases for net in phase.trains}
    for net in trained:
        if "batch_stats" in before.nets[net].variables:
            moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), *(s.nets[net].variables for s in (before, after)))
            assert min(jax.tree.leaves(moved)) > 0, net
    assert all(np.isfinite(value).all() for metrics in history for value in metrics.values())
    assert not any(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(after))


@pytest.mark.quick("flow", "rule distillation")
@rows(but="accumulate")
def test_two_micro_batches_are_one_batch(name):
    (one, _), (two, _) = (steps(each, 2) for each in (trainer(name), trainer(name, accumulate=2)))
    chex.assert_trees_all_close(two, one, rtol=1e-4, atol=1e-5)


@pytest.mark.quick("gan", "gan lazy", "vae", "flow", "likelihood")
@rows(but="samples")
def test_samples_are_drawn_by_the_seed_alone(name):
    one = trainer(name)
    view = view_of(one.method, one.init())
    draw = jax.jit(lambda key: one.method.sample(view, key, 4))
    first, again, other = draw(KEY), draw(KEY), draw(jax.random.key(1))
    np.testing.assert_array_equal(first, again)
    assert (np.asarray(first) != np.asarray(other)).any()
