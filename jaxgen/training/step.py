"""The engine: a method becomes one pure step, and runs of steps one compiled, donated, sharded call."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from jaxgen import linen, loops, target
from jaxgen.core import Array, Aux, Batch, Method, NetState, Params, Phase, Place, TrainState, as_they_are, view_of
from jaxgen.errors import UserError
from jaxgen.training.sharding import batch_sharding, replicated

Metrics = dict[str, Array]
Due = frozenset[str]  # names of the phases that run in a step
Step = Callable[..., tuple[TrainState, Metrics]]  # of a state, batches, the run's key and what is due
Reports = Callable[[TrainState], Any]  # before a step -> bool []: whether its metrics will be looked at

MOST_PROGRAMS = 8  # compiled for one method: each costs its seconds and its memory

_SCHEDULED = (optax.ScaleByScheduleState, optax.InjectStatefulHyperparamsState)


def always(state: TrainState) -> bool:
    """The `Reports` of steps whose metrics are all looked at."""
    return True


def init_state(method: Method, key: Array, batch: Batch) -> TrainState:
    """The state before the first step. Pure: compile it with `out_shardings` to create the arrays where they belong.

    Args:
      method: the algorithm.
      key: PRNG key of the initialization.
      batch: real data, leaves `[batch, ...]`, for data-dependent initialization.
    """
    initial = method.init(method.modules, key, batch)
    nets = {name: _init_net(net, linen.without_sown(dict(initial[name]))) for name, net in method.nets.items()}
    memory = {} if method.memory is None else dict(method.memory(jax.random.fold_in(key, 1), batch))
    zero = jnp.zeros((), jnp.int32)
    return TrainState(step=zero, start=zero, nets=nets, memory=memory)


def _init_net(net: Any, variables: dict[str, Any]) -> NetState:
    params = variables.pop("params", {})
    return NetState(
        params=params,
        variables=variables,
        opt_state=None if net.optimizer is None else net.optimizer.init(params),
        ema=None if net.ema_decay is None else jax.tree.map(jnp.copy, params),
    )


def due_phases(method: Method, step: int) -> Due:
    """The phases that run in a stage's step number `step`, from 0."""
    return frozenset(phase.name for phase in method.phases if step % phase.every == 0)


def check_pace(method: Method, steps_per_call: int) -> None:
    """Refuses phases whose pace does not fit steps that are compiled together, or makes too many programs.

    Raises:
      UserError: `every` neither divides `steps_per_call` nor is a multiple, or calls are of more than 8 kinds.
    """
    for phase in method.phases:
        if phase.every % steps_per_call and steps_per_call % phase.every:
            raise UserError(
                f"every is {phase.every} in phase {phase.name!r}, which neither divides steps_per_call "
                f"{steps_per_call} nor is a multiple of it; change one of them."
            )
    calls = {due_in_call(method, step, steps_per_call) for step in calls_of_a_period(method, steps_per_call)}
    if len(calls) > MOST_PROGRAMS:
        raise UserError(
            f"the phases' every ({', '.join(str(phase.every) for phase in method.phases)}) make {len(calls)} programs, "
            f"more than {MOST_PROGRAMS}; choose multiples of one another."
        )


def calls_of_a_period(method: Method, steps_per_call: int) -> range:
    """The steps that calls begin at until the same phases are due in the same order again."""
    return range(0, math.lcm(steps_per_call, *(phase.every for phase in method.phases)), steps_per_call)


def due_in_call(method: Method, step: int, steps_per_call: int) -> tuple[Due, ...]:
    """The phases due in each step of the call that a stage's step `step` begins."""
    return tuple(due_phases(method, each) for each in range(step, step + steps_per_call))


def build_step(method: Method, place: Place = as_they_are, reports: Reports = always) -> Step:
    """The training step of a method: `step(state, batches, key, due) -> (state, metrics)`, pure.

    `batches` has leaves `[method.batches_per_step, batch, ...]`; a phase with k repeats uses the first k, one each, or
    the first alone. `key` is the run's key, the same at every step: noise depends on it, the step, the phase, the
    repeat and the micro-batch alone, so a restarted run draws what it would have drawn. `due` names the phases that
    run, by default all: it is the caller's, who knows the step, so that no branch is compiled around a gradient.
    Metrics are those of a phase's last repeat, `<phase>/<name>`, with the norm of its gradient, `<phase>/grad_norm`,
    which steps that `reports` does not name may leave 0. `place` lays networks and inputs out over the devices.

    Raises:
      UserError: a phase trains a network that does not exist or has no optimizer, or two phases share a name. When the
        step is traced: batches are too few or too many, or a loss returns what the state does not have.
    """
    _check(method)

    def step(state: TrainState, batches: Batch, key: Array, due: Due | None = None) -> tuple[TrainState, Metrics]:
        _check_batches(method, batches)
        step_key = jax.random.fold_in(key, state.step)
        metrics: Metrics = {}
        for index, phase in enumerate(method.phases):
            if due is None or phase.name in due:
                repeat = _repeat(method, phase, place, reports, jax.random.fold_in(step_key, index))
                count = jnp.arange(phase.repeats)
                if phase.fresh:
                    fresh = jax.tree.map(lambda x, k=phase.repeats: x[:k], batches)
                    state, history = loops.scan(lambda s, x, f=repeat: f(s, *x), state, (fresh, count))
                else:
                    first = jax.tree.map(lambda x: x[0], batches)
                    state, history = loops.scan(lambda s, i, f=repeat, b=first: f(s, b, i), state, count)
                metrics |= {name: values[-1] for name, values in history.items()}
        moved = {name for phase in method.phases if due is None or phase.name in due for name in phase.trains}
        nets = {
            name: _average(method.nets[name].ema_decay if name in moved else None, net)
            for name, net in state.nets.items()
        }
        return dataclasses.replace(state, step=state.step + 1, nets=nets), metrics

    return step


def compile_step(step: Step, mesh: Mesh, shardings: TrainState, due: Sequence[Due]) -> jax.stages.Wrapped:
    """Compiles `len(due)` steps into one call: `call(state, batches, key) -> (state, metrics)`.

    The state is donated and stays where `shardings`, one for each of its leaves, have put it; the batch is split over
    the mesh's `data` and `fsdp` axes. `batches` has leaves `[len(due), batches_per_step, batch, ...]` and a metric
    comes back as `[steps in which its phase was due]`, so that small models pay for one dispatch in many steps. Steps
    in a row that are due the same are one loop. Lowered and compiled ahead of time, it cannot retrace: another shape
    raises.
    """

    def call(state: TrainState, batches: Batch, key: Array) -> tuple[TrainState, Metrics]:
        parts: list[Metrics] = []
        with target.tracing_for(mesh.devices.flat[0].platform):
            for phases, start, stop in _runs(due):
                some = jax.tree.map(lambda x, a=start, b=stop: x[a:b], batches)
                state, metrics = loops.scan(lambda s, batch, p=phases: step(s, batch, key, p), state, some)
                parts.append(metrics)
        names = dict.fromkeys(name for part in parts for name in part)
        return state, {name: jnp.concatenate([part[name] for part in parts if name in part]) for name in names}

    whole = replicated(mesh)
    return jax.jit(
        call,
        donate_argnums=0,
        in_shardings=(shardings, batch_sharding(mesh, leading_axes=2), whole),
        out_shardings=(shardings, whole),
    )


def _runs(due: Sequence[Due]) -> Iterable[tuple[Due, int, int]]:
    """Equal neighbours: what they are, where they begin and where they end."""
    start = 0
    for stop in range(1, len(due) + 1):
        if stop == len(due) or due[stop] != due[start]:
            yield due[start], start, stop
            start = stop


def _repeat(method: Method, phase: Phase, place: Place, reports: Reports, phase_key: Array) -> Callable:
    """`(state, batch, number of the repeat) -> (state, metrics)`."""

    def repeat(state: TrainState, batch: Batch, number: Array) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(phase_key, number)
        report = reports(state)
        with jax.named_scope(phase.name):  # by which a compiled program's operations are told apart
            state, metrics, grads = _update(method, phase, place, state, batch, key, number)
        if phase.trains:
            metrics["grad_norm"] = loops.when(report, optax.tree.norm, grads)
        return state, {f"{phase.name}/{name}": value for name, value in metrics.items()}

    return repeat


def _update(
    method: Method, phase: Phase, place: Place, state: TrainState, batch: Batch, key: Array, repeat: Array
) -> tuple[TrainState, Metrics, Params]:
    """One gradient update of the networks a phase trains: the state it leaves, its metrics, and their gradients."""
    view = phase.counted(dataclasses.replace(view_of(method, state, place), repeat=repeat), batch)

    def objective(trained: Any, kept: Any, batch: Batch, key: Array) -> tuple[Array, Any]:
        variables, memory = kept
        seen = dataclasses.replace(view, params={**view.params, **trained}, variables=variables, memory=memory)
        loss, aux = phase.loss(seen, batch, key)
        _check_kept(phase, aux, variables, memory)
        variables = {name: {**old, **aux.variables.get(name, {})} for name, old in variables.items()}
        return loss, ((variables, {**memory, **aux.memory}), {"loss": loss, **aux.metrics})

    trained = {name: view.params[name] for name in phase.trains}
    kept = (view.variables, dict(view.memory))
    gradient = jax.value_and_grad(objective, has_aux=True)
    if phase.accumulate == 1:
        (value, (kept, metrics)), grads = gradient(trained, kept, batch, key)
    else:
        (value, (kept, metrics)), grads = _accumulate(gradient, trained, kept, batch, key, phase.accumulate)

    variables, memory = kept
    nets = {name: dataclasses.replace(net, variables=variables[name]) for name, net in state.nets.items()}
    for name in phase.trains:

        def value_fn(params: Params, name: str = name) -> Array:
            if phase.accumulate > 1:
                raise UserError(
                    f"accumulate is {phase.accumulate} in phase {phase.name!r}, but the optimizer of {name!r} computes "
                    "the loss again, on one whole batch; leave it at 1, or take another optimizer."
                )
            return objective({**trained, name: params}, (view.variables, dict(view.memory)), batch, key)[0]

        transformation = method.nets[name].optimizer
        assert transformation is not None  # `_check` has seen to it
        optimizer = optax.with_extra_args_support(transformation)
        opt_state = _at_step(nets[name].opt_state, view.step)
        params = nets[name].params
        updates, opt_state = optimizer.update(
            grads[name], opt_state, params, value=value, grad=grads[name], value_fn=value_fn
        )
        params = optax.apply_updates(params, updates)
        nets[name] = dataclasses.replace(nets[name], params=params, opt_state=opt_state)
    return dataclasses.replace(state, nets=nets, memory=memory), metrics, grads


def _at_step(opt_state: Any, step: Array) -> Any:
    """The optimizer's state, its schedules at a step: not at the number of its updates, which phases may share."""

    def counts(state: Any) -> bool:  # the schedules of injected hyperparameters have a state that optax keeps private
        return isinstance(state, _SCHEDULED) or getattr(state, "_fields", ()) == ("count",)

    def moved(state: Any) -> Any:
        rest = {field: _at_step(value, step) for field, value in state._asdict().items() if field != "count"}
        return state._replace(count=step, **rest)

    return jax.tree.map(lambda x: moved(x) if counts(x) else x, opt_state, is_leaf=counts)


def _average(decay: float | None, net: NetState) -> NetState:
    if decay is None:
        return net
    ema: Any = optax.incremental_update(net.params, net.ema, 1 - decay)  # pyright: ignore[reportArgumentType]
    return dataclasses.replace(net, ema=ema)


def _accumulate(gradient: Callable, trained: Any, kept: Any, batch: Batch, key: Array, count: int) -> tuple:
    """Values, metrics and gradients averaged over `count` micro-batches; what is kept passes from one to the next."""
    for leaf in jax.tree.leaves(batch):
        if (size := leaf.shape[0]) % count:
            raise UserError(f"batch_size {size} is not divisible by accumulate {count}; choose a multiple of {count}.")
    # Column-major, unlike `reshape`, keeps a batch that is split over devices where it is.
    micro_batches = jax.tree.map(lambda x: optax.microbatching.reshape_batch_axis(x, x.shape[0] // count), batch)

    def body(carry: Any, batch_and_index: Any) -> tuple[Any, Any]:
        kept, total = carry
        micro_batch, index = batch_and_index
        (value, (kept, metrics)), grads = gradient(trained, kept, micro_batch, jax.random.fold_in(key, index))
        return (kept, jax.tree.map(jnp.add, total, grads)), (value, metrics)

    zeros = jax.tree.map(jnp.zeros_like, trained)
    (kept, total), figures = loops.scan(body, (kept, zeros), (micro_batches, jnp.arange(count)))
    value, metrics = jax.tree.map(lambda x: jnp.mean(x, 0), figures)
    return (value, (kept, metrics)), jax.tree.map(lambda x: x / count, total)


def _check_batches(method: Method, batches: Batch) -> None:
    for path, x in jax.tree_util.tree_leaves_with_path(batches):
        if x.shape[:1] != (method.batches_per_step,):
            raise UserError(
                f"batches: {jax.tree_util.keystr(path, simple=True, separator='/')} has shape {x.shape}, but a step of "
                f"this {method.name} takes leaves [{method.batches_per_step}, batch, ...]."
            )


def _check_kept(phase: Phase, aux: Aux, variables: Any, memory: Any) -> None:
    for kind, moved, there in (
        (
            "variables",
            [f"{n}/{c}" for n, collections in aux.variables.items() for c in collections],
            [f"{n}/{c}" for n, collections in variables.items() for c in collections],
        ),
        ("memory", list(aux.memory), list(memory)),
    ):
        for name in moved:
            if name not in there:
                raise UserError(
                    f"{kind}: the loss of phase {phase.name!r} returns {name}, which is not among "
                    f"{', '.join(there) or f'the {kind}, of which there are none'}."
                )
    for name, value in aux.memory.items():
        old, new = (jax.tree.map(lambda x: (jnp.shape(x), jnp.result_type(x)), tree) for tree in (memory[name], value))
        if old != new:
            raise UserError(
                f"memory: the loss of phase {phase.name!r} returns {name} as {new}, but it is {old}; keep its shape "
                "and type."
            )


def _check(method: Method) -> None:
    if not method.phases:
        raise UserError(f"phases: {method.name} has none; give it at least one.")
    names = [phase.name for phase in method.phases]
    for phase in method.phases:
        if names.count(phase.name) > 1:
            raise UserError(f"phases: two are named {phase.name!r}, so their metrics would collide; rename one.")
        for name in phase.trains:
            if name not in method.nets:
                raise UserError(f"trains: no network is named {name!r}; there are {', '.join(method.nets)}.")
            if method.nets[name].optimizer is None:
                raise UserError(f"trains: network {name!r} is frozen; give its Net an optimizer.")
        for field in ("repeats", "every", "accumulate"):
            if getattr(phase, field) < 1:
                raise UserError(f"{field} is {getattr(phase, field)} in phase {phase.name!r}; it must be at least 1.")
