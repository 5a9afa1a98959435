"""The engine's words, each against a course known by hand: phases' pace, training mode, memory, counts, optimizers."""

import dataclasses

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Aux, Method, Net, Phase, view_of
from jaxgen.errors import UserError
from jaxgen.fitting import fit
from jaxgen.training.pace import due_phases
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)
X = {"x": np.ones((8, 1), np.float32)}


class Number(nn.Module):
    """One parameter w."""

    start: float = 0.0

    @nn.compact
    def __call__(self):
        return self.param("w", lambda key: jnp.asarray(self.start))


def method(*phases, nets=None, memory=None, **fields):
    nets = nets or {"a": Net(Number(), optax.sgd(1.0))}

    def init(modules, key, batch):
        return {name: module.init(key) for name, module in modules.items()}

    return Method("words", nets, phases, init, None, lambda view, batch, key: {}, memory=memory, **fields)


def pull(amount):
    """A loss whose gradient descends w by `amount` at rate 1."""
    return lambda view, batch, key: (-amount * view("a"), Aux())


def w(state, net="a"):
    return float(state.nets[net].params["w"])


def test_fit_knows_every_step_s_gradient_and_warns_of_a_step_that_is_not_finite():
    """Of exp(w), by whose slope w moves: the square of the fourth, exp(44.9), is more than float32 holds."""
    grow = Phase("grow", ("a",), lambda view, batch, key: (-jnp.exp(view("a")), Aux()))
    with pytest.warns(RuntimeWarning, match="grad_norm of grow became infinite at step 4; .* a lower learning rate"):
        _, history = fit(method(grow), X, steps=8, key=KEY, batch_size=4, steps_per_call=4)
    w, norms = 0.0, []
    for _ in range(3):
        norms.append(np.exp(w))
        w += np.exp(w)
    np.testing.assert_allclose(history["grow/grad_norm"][:3], norms, rtol=1e-5)


@pytest.mark.parametrize("steps_per_call", [1, 2, 6])
def test_a_phase_is_due_when_its_pace_divides_the_steps_of_its_stage(steps_per_call):
    paced = method(Phase("often", ("a",), pull(1.0)), Phase("rare", ("a",), pull(100.0), every=6))
    state, history = fit(paced, X, steps=12, key=KEY, batch_size=4, steps_per_call=steps_per_call)
    assert w(state) == 12 + 2 * 100  # at steps 0 and 6
    assert np.isfinite(history["often/loss"]).all()
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(history["rare/loss"])), [0, 6])
    assert history["rare/loss"][6] == -100.0 * 107  # which the phase before has moved to 107


def test_arrays_of_numpy_s_own_precision_are_read_in_that_of_jax(recwarn):
    wide = {"x": np.ones((4, 1)), "label": np.arange(4)}
    types = []

    def loss(view, batch, key):
        types.append((batch["x"].dtype, batch["label"].dtype))
        return pull(1.0)(view, batch, key)

    fit(method(Phase("a", ("a",), loss)), wide, steps=1, key=KEY, batch_size=4)
    assert set(types) == {(np.dtype("float32"), np.dtype("int32"))}
    assert not [str(warning.message) for warning in recwarn if "dtype" in str(warning.message)]


def test_paces_that_fit_no_programs_are_sentences():
    odd = method(Phase("a", ("a",), pull(1.0), every=3))
    with pytest.raises(UserError, match="every is 3 in phase 'a', which neither divides steps_per_call 2 nor"):
        fit(odd, X, steps=4, key=KEY, batch_size=4, steps_per_call=2)
    many = method(*(Phase(str(k), ("a",), pull(1.0), every=k) for k in (1, 2, 3, 5, 7)))
    with pytest.raises(UserError, match=r"make 16 programs, more than 8; choose multiples of one another"):
        fit(many, X, steps=4, key=KEY, batch_size=4)


def test_phases_share_a_network_s_optimizer_and_its_schedule_reads_the_step():
    rate = optax.piecewise_constant_schedule(1.0, {2: 0.1})  # from the third step on
    twice = method(
        Phase("one", ("a",), pull(1.0), repeats=3, fresh=False), Phase("two", ("a",), pull(10.0)),
        nets={"a": Net(Number(), optax.sgd(rate, momentum=0.5), ema_decay=0.5)},
    )  # fmt: skip
    state, _ = fit(twice, X, steps=3, key=KEY, batch_size=4)
    x = trace = ema = 0.0
    for step in range(3):
        for amount in (1.0, 1.0, 1.0, 10.0):
            trace = amount + 0.5 * trace
            x += trace * (1.0 if step < 2 else 0.1)
        ema = 0.5 * ema + 0.5 * x  # once a step, after the last phase
    assert w(state) == pytest.approx(x, rel=1e-6)
    assert float(state.nets["a"].ema["w"]) == pytest.approx(ema, rel=1e-6)


def test_an_average_moves_in_the_steps_alone_in_which_its_network_does():
    def other(view, batch, key):
        return -view("b"), Aux()

    nets = {"a": Net(Number(), optax.sgd(1.0), ema_decay=0.5), "b": Net(Number(), optax.sgd(1.0), ema_decay=0.5)}
    paced = method(Phase("rare", ("a",), pull(1.0), every=3), Phase("often", ("b",), other), nets=nets)
    state, _ = fit(paced, X, steps=6, key=KEY, batch_size=4)
    assert [float(state.nets[name].ema["w"]) for name in "ab"] == [0.5 * 0.5 + 0.5 * 2, 5 + 1 / 64]


def test_injected_hyperparameters_read_the_step_too():
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=lambda step: jnp.where(step < 1, 1.0, 0.0))
    twice = method(Phase("one", ("a",), pull(1.0), repeats=2, fresh=False), nets={"a": Net(Number(), optimizer)})
    state, _ = fit(twice, X, steps=2, key=KEY, batch_size=4)
    assert w(state) == 2.0


def test_repeats_that_are_not_fresh_see_one_batch_and_their_number():
    def loss(view, batch, key):
        return -view("a") * batch["x"][0, 0] * 10.0**view.repeat, Aux()

    data = {"x": jnp.array([[[1.0]], [[7.0]]])}
    stale = method(Phase("a", ("a",), loss, repeats=3, fresh=False), Phase("b", ("a",), pull(0.0), repeats=2))
    state, _ = build_step(stale)(init_state(stale, KEY, X), data, KEY)
    assert w(state) == 111.0
    assert stale.batches_per_step == 2


def test_a_phase_that_trains_nothing_keeps_memory_and_a_network_more_changes_no_metric():
    def count(view, batch, key):
        return jnp.zeros(()), Aux({"seen": view.memory["count"]}, memory={"count": view.memory["count"] + 1})

    nets = {"a": Net(Number(), optax.sgd(1.0)), "b": Net(Number(), optax.sgd(1.0))}
    one, two = (
        method(Phase("count", (), count), Phase("move", trains, pull(1.0)), nets=nets,
               memory=lambda key, batch: {"count": jnp.zeros((), jnp.int32)})
        for trains in (("a",), ("a", "b"))
    )  # fmt: skip
    state, history = fit(one, X, steps=4, key=KEY, batch_size=4)
    np.testing.assert_array_equal(history["count/seen"], range(4))
    assert state.memory["count"] == 4
    assert history.keys() == fit(two, X, steps=4, key=KEY, batch_size=4)[1].keys()
    assert "count/grad_norm" not in history


def test_memory_passes_from_one_micro_batch_to_the_next_and_keeps_its_shape():
    def loss(view, batch, key):
        return -view("a"), Aux(memory={"sum": view.memory["sum"] + jnp.sum(batch["x"])})

    kept = {"memory": lambda key, batch: {"sum": jnp.zeros(())}}
    state, _ = fit(method(Phase("a", ("a",), loss, accumulate=4), **kept), X, steps=2, key=KEY, batch_size=8)
    assert state.memory["sum"] == 16
    wrong = method(Phase("a", ("a",), lambda view, batch, key: (view("a"), Aux(memory={"other": 0.0}))), **kept)
    with pytest.raises(UserError, match="memory: the loss of phase 'a' returns other, which is not among sum"):
        fit(wrong, X, steps=1, key=KEY, batch_size=4)
    grown = method(Phase("a", ("a",), lambda view, batch, key: (view("a"), Aux(memory={"sum": jnp.ones(2)}))), **kept)
    with pytest.raises(UserError, match="returns sum as .* keep its shape"):
        fit(grown, X, steps=1, key=KEY, batch_size=4)


def test_memory_is_replicated_but_for_what_the_method_spreads_over_the_devices():
    def loss(view, batch, key):
        moved = view.memory["environments"] * 2 + 1
        return -view("a") * jnp.mean(moved), Aux(memory={"environments": moved})

    def memory(key, batch):
        return {"environments": jnp.arange(8.0), "pool": jnp.zeros((2**14,))}

    spread = method(Phase("a", ("a",), loss), memory=memory, split=("environments",))
    state, _ = fit(spread, X, steps=3, key=KEY, batch_size=4)
    assert {shard.data.shape for shard in state.memory["environments"].addressable_shards} == {(2,)}
    assert state.memory["pool"].sharding.is_fully_replicated
    np.testing.assert_array_equal(state.memory["environments"], np.arange(8) * 8 + 7)
    assert w(state) == sum(np.mean(np.arange(8) * 2**k + 2**k - 1) for k in (1, 2, 3))


def test_a_mean_over_some_examples_is_one_large_batch_s_when_accumulated():
    """Where one micro-batch has 3 labels and the other 1, a mean of means is another number."""
    x = np.arange(1.0, 9.0, dtype=np.float32)[:, None]
    labelled = np.array([1, 1, 0, 0, 1, 0, 0, 1], np.float32)

    def loss(view, batch, key):
        return -view("a") * jnp.sum(batch["x"][:, 0] * batch["there"]) / view.counts["there"], Aux()

    def counts(batch):
        return {"there": jnp.sum(batch["there"])}

    data = {"x": x[None], "there": labelled[None]}
    found = []
    for accumulate in (1, 2, 4):
        one = method(Phase("a", ("a",), loss, accumulate=accumulate, counts=counts))
        state, _ = build_step(one)(init_state(one, KEY, X), data, KEY)
        found.append(w(state))
    np.testing.assert_allclose(found, np.mean(x[:, 0][labelled > 0]), rtol=1e-6)


class Everything(nn.Module):
    """A layer of every kind of state: parameters, statistics, noise, a count, a constant, a sown value."""

    @nn.compact
    def __call__(self, x, *, train=False):
        count = self.variable("counts", "uses", jnp.zeros, ())
        never = self.variable("constants", "never", jnp.zeros, ())
        if self.is_mutable_collection("counts") and not self.is_initializing():
            count.value += 1
        if self.is_mutable_collection("constants") and not self.is_initializing():
            never.value += 1
        self.sow("features", "x", x)
        x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.Dropout(0.5, deterministic=not train)(nn.Dense(4)(x))


def everything(streams=("dropout",), hold=()):
    def loss(view, batch, key):
        y, moved = view.train("net", batch["x"], key=key, hold=hold)
        return jnp.mean(y**2), Aux({"drawn": jnp.sum(y)}, {"net": moved})

    net = Net(Everything(), optax.sgd(0.1), streams=streams)
    init = lambda modules, key, batch: {"net": modules["net"].init(key, batch["x"])}  # noqa: E731
    return Method("all", {"net": net}, (Phase("net", ("net",), loss),), init, None, lambda view, batch, key: {})


def test_training_mode_moves_every_collection_but_constants_and_what_is_sown():
    data = {"x": np.random.default_rng(0).normal(3.0, 2.0, (8, 4)).astype(np.float32)}
    state, history = fit(everything(), data, steps=3, key=KEY, batch_size=8)
    variables = state.nets["net"].variables
    assert variables.keys() == {"batch_stats", "counts", "constants"}
    assert variables["counts"]["uses"] == 3
    assert variables["constants"]["never"] == 0
    mean = variables["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(mean, data["x"].mean(0) * (1 - 0.99**3), rtol=1e-5)
    assert len(set(history["net/drawn"])) == 3  # other units drop at every step
    held, _ = fit(everything(hold=("counts",)), data, steps=3, key=KEY, batch_size=8)
    assert held.nets["net"].variables["counts"]["uses"] == 0
    np.testing.assert_array_equal(held.nets["net"].variables["batch_stats"]["BatchNorm_0"]["mean"], mean)


def test_a_stream_that_is_not_declared_is_a_sentence():
    data = {"x": np.ones((8, 4), np.float32)}
    with pytest.raises(UserError, match=r"network 'net' draws from a stream .* name it, as in Net\(module, streams="):
        fit(everything(streams=()), data, steps=1, key=KEY, batch_size=8)


def test_what_cannot_be_held_is_a_sentence():
    data = {"x": np.ones((8, 4), np.float32)}
    with pytest.raises(UserError, match=r"moves in training what is held \(.*batch_stats.*; leave it out"):
        fit(everything(hold=("batch_stats",)), data, steps=1, key=KEY, batch_size=8)


def test_networks_and_streams_draw_apart_and_a_key_draws_the_same():
    class Draws(nn.Module):
        @nn.compact
        def __call__(self):
            return jnp.stack([jax.random.uniform(self.make_rng(name)) for name in ("one", "two")])

    net = Net(Draws(), streams=("one", "two"))
    two = Method("two", {"a": net, "b": net}, (Phase("p", (), pull(0.0)),), lambda *_: {"a": {}, "b": {}}, None, dict)
    view = view_of(two, init_state(two, KEY, X))
    drawn = [view.train(name, key=key)[0] for name in "ab" for key in jax.random.split(KEY)]
    assert len(np.unique(np.stack(drawn))) == 8
    chex.assert_trees_all_equal(view.train("a", key=KEY), view.train("a", key=KEY))
    training = view.training(KEY)
    assert (training("a") != training("a")).all()  # a second use draws anew


def test_evaluation_moves_nothing_and_averages_stand_in_for_parameters():
    data = {"x": np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)}
    state, _ = fit(everything(), data, steps=1, key=KEY, batch_size=8)
    view = view_of(everything(), state)
    first, again = view("net", data["x"]), view("net", data["x"])
    np.testing.assert_array_equal(first, again)
    assert (view.train("net", data["x"], key=KEY)[0] == 0).mean() > 0.2  # dropped


def test_no_gradient_reaches_a_stopped_network():
    def loss(view, batch, key):
        return view("a") * view.stopped("b")("b"), Aux()

    nets = {"a": Net(Number(2.0), optax.sgd(1.0)), "b": Net(Number(3.0), optax.sgd(1.0))}
    state, _ = fit(method(Phase("both", ("a", "b"), loss), nets=nets), X, steps=1, key=KEY, batch_size=4)
    assert (w(state), w(state, "b")) == (-1.0, 3.0)


def quadratic(view, batch, key):
    return jnp.mean((view("a") - 3.0) ** 2 * batch["x"]), Aux()


@pytest.mark.parametrize(
    ("optimizer", "steps"), [(optax.lbfgs(), 3), (optax.polyak_sgd(max_learning_rate=1.0), 30)], ids=["lbfgs", "polyak"]
)
def test_optimizers_may_look_at_the_value_and_at_the_loss(optimizer, steps):
    own = method(Phase("a", ("a",), quadratic), nets={"a": Net(Number(), optimizer)})
    state, _ = fit(own, X, steps=steps, key=KEY, batch_size=4)
    assert w(state) == pytest.approx(3.0, abs=1e-3)


def test_a_plateau_of_the_value_is_seen():
    optimizer = optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(patience=2, atol=1e9, factor=0.5))
    own = method(Phase("a", ("a",), quadratic), nets={"a": Net(Number(), optimizer)})
    state, _ = fit(own, X, steps=5, key=KEY, batch_size=4)
    assert optax.tree_utils.tree_get(state.nets["a"].opt_state, "scale") == 0.25  # no loss is better by 1e9


def test_a_line_search_over_micro_batches_is_refused():
    own = method(Phase("a", ("a",), quadratic, accumulate=2), nets={"a": Net(Number(), optax.lbfgs())})
    with pytest.raises(UserError, match="accumulate is 2 in phase 'a', but the optimizer of 'a' computes"):
        fit(own, X, steps=1, key=KEY, batch_size=4)


def test_due_phases_are_the_host_s_and_no_branch_is_compiled():
    paced = method(Phase("often", ("a",), pull(1.0)), Phase("rare", ("a",), pull(100.0), every=4))
    step, state = build_step(paced), init_state(paced, KEY, X)
    texts = [
        str(jax.make_jaxpr(lambda s, due=due_phases(paced, n): step(s, {"x": X["x"][None]}, KEY, due))(state))
        for n in (0, 1)
    ]
    assert len(texts[0]) > len(texts[1])
    without = dataclasses.replace(paced, phases=paced.phases[:1])
    plain = jax.make_jaxpr(lambda s: build_step(without)(s, {"x": X["x"][None]}, KEY))(state)
    assert texts[1] == str(plain)


def only(**changed):
    """Words of one network and one phase, some of them changed."""
    return dataclasses.replace(method(Phase("up", ("a",), pull(1.0))), **changed)


def test_steps_of_convolutions_that_are_compiled_together_on_a_cpu_are_warned_of():
    class Picture(nn.Module):
        @nn.compact
        def __call__(self):
            return jnp.sum(nn.Conv(1, (1, 1))(jnp.ones((1, 2, 2, 1))))

    nets = {"a": Net(Picture(), optax.sgd(1e-3))}
    with pytest.warns(RuntimeWarning, match="steps_per_call is 2, and on a CPU steps with convolutions are compiled"):
        fit(only(nets=nets), X, steps=2, key=KEY, batch_size=4, steps_per_call=2)


def losing(loss):
    return only(phases=(Phase("up", ("a",), loss),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda: losing(lambda view, batch, key: view("a")),
            r"loss of phase 'up' returns an array \[\]; return a scal",
        ),
        (
            lambda: losing(lambda view, batch, key: (view("a"), {})),
            r"returns \(an array \[\], a dict\); return a scalar",
        ),
        (lambda: losing(lambda view, batch, key: (view("a") + batch["y"], Aux())), "asks for 'y', .* memory are x"),
        (lambda: only(evaluate=lambda view, batch, key: {"y": batch["y"]}), "evaluate of words asks for 'y', which is"),
        (
            lambda: only(init=lambda modules, key, batch: {"a": modules["b"].init(key)}),
            "init of words asks for 'b', wh",
        ),
        (
            lambda: only(init=lambda modules, key, batch: {"b": {}}),
            "init of words gives variables of b; .* networks, a",
        ),
        (lambda: only(phases=Phase("up", ("a",), pull(1.0))), r"phases of words is a Phase; make it a tuple, \(Phase"),
        (lambda: only(nets={"a": Number()}), r"nets of words has 'a', a Number; make it Net\(a, ...\)"),
        (lambda: Phase("up", "a", pull(1.0)), r"trains is 'a' in phase 'up'; make it a tuple, \('a',\)"),
        (lambda: Net(Number(), 1e-3), r"optimizer is 0.001; make it one of optax's, such as optax.adam"),
        (lambda: Net(Number), r"module is the class Number; make one, Number\(...\)"),
        (lambda: Net(3), "module is 3; make it a Linen module"),
        (lambda: Net(Number(), streams="dropout"), "streams is 'dropout'; make it a tuple"),
    ],
)
def test_a_slip_in_one_s_own_method_is_a_sentence(change, message):
    with pytest.raises(UserError, match=message):
        fit(change(), X, steps=1, key=KEY, batch_size=4)


@pytest.mark.parametrize(
    ("data", "key", "message"),
    [
        (X, 0, r"key is 0; make it a PRNG key, as jax.random.key\(0\) is"),
        ({"x": np.array(["a", "b"])}, KEY, r"data has 'x' of <U1 \[2\]; make it numbers \[examples, ...\]"),
        ({"x": np.ones(3), "y": np.ones(4)}, KEY, "data has 3 of x and 4 of y; give as many examples of each field"),
        ({}, KEY, "data has no arrays; give"),
    ],
)
def test_a_slip_in_what_fit_is_given_is_a_sentence(data, key, message):
    with pytest.raises(UserError, match=message):
        fit(only(), data, steps=1, key=key, batch_size=2)
