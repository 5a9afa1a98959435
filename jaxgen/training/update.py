"""One phase's update: the gradient of its loss, over micro-batches or at once, and what the optimizers make of it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen import loops, target
from jaxgen.core import Array, Aux, Batch, Method, Params, Phase, Place, TrainState, view_of
from jaxgen.errors import UserError, naming

Metrics = dict[str, Array]

_SCHEDULED = (optax.ScaleByScheduleState, optax.InjectStatefulHyperparamsState)


def update(
    method: Method, phase: Phase, place: Place, state: TrainState, batch: Batch, key: Array, repeat: Array
) -> tuple[TrainState, Metrics, Params]:
    """One gradient update of the networks a phase trains: the state it leaves, its metrics, and their gradients."""
    view = phase.counted(dataclasses.replace(view_of(method, state, place), repeat=repeat), batch)

    def objective(trained: Any, kept: Any, batch: Batch, key: Array) -> tuple[Array, Any]:
        variables, memory = kept
        seen = dataclasses.replace(view, params={**view.params, **trained}, variables=variables, memory=memory)
        with naming(f"the loss of phase {phase.name!r}", {**batch, **memory}, "batch's fields and memory"):
            returned = phase.loss(seen, batch, key)
        loss, aux = _checked(phase, returned)
        _check_scalars(phase, {"loss": loss, **aux.metrics})
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
        if apart:
            grads = jax.lax.optimization_barrier(grads)
        return (kept, jax.tree.map(jnp.add, total, grads)), (value, metrics)

    apart = _scatters(gradient, trained, kept, jax.tree.map(lambda x: x[0], micro_batches), key)
    zeros = jax.tree.map(jnp.zeros_like, trained)
    (kept, total), figures = loops.scan(body, (kept, zeros), (micro_batches, jnp.arange(count)))
    value, metrics = jax.tree.map(lambda x: jnp.mean(x, 0), figures)
    return (value, (kept, metrics)), jax.tree.map(lambda x: x / count, total)


def _scatters(gradient: Callable, *args: Any) -> bool:
    """Whether a gradient scatters into an array, as an embedding's does, and its compiler is not to know of the sum.

    XLA's compilers for accelerators scatter into the sum itself, of which all devices but the first then forget what
    they had before the last micro-batch: openxla/xla #49143, seen in what libtpu 0.0.48.1 makes of this loop. CPU's has
    no such pass.
    """
    return target.platform() != "cpu" and "scatter-add" in str(jax.make_jaxpr(gradient)(*args))


def _checked(phase: Phase, returned: Any) -> tuple[Array, Aux]:
    """What a loss returns, if it is a scalar and an `Aux`."""
    if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], Aux):
        return returned
    raise UserError(
        f"the loss of phase {phase.name!r} returns {_kind(returned)}; return a scalar and an Aux, `loss, Aux()`."
    )


def _kind(x: Any) -> str:
    if isinstance(x, tuple) and not isinstance(x, Aux):
        return f"({', '.join(map(_kind, x))})"
    return f"an array {list(x.shape)}" if isinstance(x, jax.Array) else f"a {type(x).__name__}"


def _check_scalars(phase: Phase, metrics: Metrics) -> None:
    for name, value in metrics.items():
        if shape := jnp.shape(value):
            raise UserError(
                f"phase {phase.name!r} returns {name} of shape {list(shape)}; return a number, as its mean."
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
