"""A trained model as functions of arrays that run without jaxgen: StableHLO by `jax.export`, and weights beside it.

Every function takes examples of a batch one by one, each with a seed of its own where it draws noise: what is made of
one does not depend on the others, nor on how many there are.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jax.interpreters import partial_eval

from jaxgen import target
from jaxgen.core import Array, Batch, Method, TrainState, View, view_of
from jaxgen.training.integrity import named

PLATFORMS = ("cpu", "cuda", "tpu")

Inputs = dict[str, Any]  # of one example, without a batch axis
Function = Callable[[View, Inputs], Any]  # `(view, inputs) -> outputs`, of one example


@dataclasses.dataclass(frozen=True)
class Exported:
    """A function, ready to be written.

    Attributes:
      program: what `jax.export.deserialize` reads: `call(weights, inputs)`, dictionaries of arrays by name.
      inputs: their shapes and types, the first axis of each being the batch, of any size.
      outputs: likewise; "" is the name of one that is no dictionary.
    """

    program: bytes
    inputs: dict[str, jax.ShapeDtypeStruct]
    outputs: dict[str, jax.ShapeDtypeStruct]


def functions(method: Method, spec: Mapping[str, Any]) -> dict[str, tuple[Function, Inputs]]:
    """What a method has of `sample`, `log_prob`, `encode`, `reconstruct` and `translate`, and their inputs' shapes.

    Args:
      method: the algorithm.
      spec: shapes and types of an example's fields.
    """
    latents, seed = method.latents, {"seed": jax.ShapeDtypeStruct((), jnp.uint32)}
    examples = dict(spec)
    found: dict[str, tuple[Function, Inputs]] = {}
    if method.log_prob is not None:
        log_prob = method.log_prob
        found["log_prob"] = (lambda view, x: log_prob(view, _batch(x), _key(x))[0], examples | seed)
    if latents is None:
        return found

    def decoded(view: View, z: Any, x: Inputs) -> Array:
        return latents.decode(view, z, jax.random.fold_in(_key(x), 1))[0]

    def made(view: View, x: Inputs) -> Array:
        z = latents.prior(_key(x), 1, _batch(x) if latents.conditional else None)
        return decoded(view, {**z, "label": x["label"][None]} if _labelled(z) and "label" in x else z, x)

    if latents.conditional:
        return {"translate": (made, examples | seed), **found}
    label = _label(method)
    found = {"sample": (made, seed | ({} if label is None else {"label": label})), **found}
    if latents.encode is not None:
        encode = latents.encode
        found["encode"] = (lambda view, x: jax.tree.map(lambda z: z[0], encode(view, _batch(x))), examples)
        found["reconstruct"] = (lambda view, x: decoded(view, encode(view, _batch(x)), x), examples | seed)
    return found


def _key(x: Inputs) -> Array:
    return jax.random.key(x["seed"])


def _batch(x: Inputs) -> Batch:
    """The example as a batch of one."""
    return jax.tree.map(lambda leaf: leaf[None], {name: leaf for name, leaf in x.items() if name != "seed"})


def _labelled(z: Any) -> bool:
    return isinstance(z, Mapping) and "label" in z


def _label(method: Method) -> jax.ShapeDtypeStruct | None:
    """Of a prior whose latents have one."""
    assert method.latents is not None
    z = jax.eval_shape(lambda: method.latents and method.latents.prior(jax.random.key(0), 1, None))
    return jax.ShapeDtypeStruct((), z["label"].dtype) if _labelled(z) else None


def export(
    method: Method, state: TrainState, spec: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Exported | str]]:
    """The averaged weights that the functions look at, by name, and the functions, or why one cannot be exported.

    Args:
      method: the algorithm.
      state: of its networks.
      spec: shapes and types of an example's fields.
    """
    view = view_of(method, state).averaged()
    tree = {"params": dict(view.params), "variables": dict(view.variables), "memory": dict(view.memory)}
    every, calls, weights = jax.device_get(named(tree)), {}, {}
    for name, (function, inputs) in functions(method, spec).items():
        call = _of_arrays(function, view, tree, every, inputs)
        calls[name] = call, *_needed(call, every, named(inputs))
        weights |= {of: every[of] for of in calls[name][1]}
    shapes = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in weights.items()}
    return weights, {name: _export(call, shapes, inputs) for name, (call, _, inputs) in calls.items()}


def _of_arrays(function: Function, view: View, tree: Any, every: Mapping[str, Any], inputs: Inputs) -> Any:
    """`(weights, inputs) -> outputs`, arrays by name, where what the function does not use may be left out."""
    examples = named(inputs)

    def call(weights: Mapping[str, Array], given: Mapping[str, Array]) -> Any:
        arrays = jax.tree.unflatten(jax.tree.structure(tree), [weights.get(name, x) for name, x in every.items()])
        with_arrays = dataclasses.replace(view, **arrays)

        def one(given: Mapping[str, Array]) -> dict[str, Array]:
            leaves = [given[name] if name in given else jnp.zeros(x.shape, x.dtype) for name, x in examples.items()]
            outputs = function(with_arrays, jax.tree.unflatten(jax.tree.structure(inputs), leaves))
            return {name: _plain(x) for name, x in named(outputs).items()}

        with target.tracing_for("tpu"):  # by XLA's own operations, which every platform has
            outputs = jax.vmap(one)(given)
        return outputs[""] if list(outputs) == [""] else outputs

    return call


def _plain(x: Array) -> Array:
    """Numbers as they are but float32 where they are of floating point; keys as their words."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(x)
    return x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x


def _needed(call: Any, weights: Mapping[str, Any], inputs: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The weights and the inputs that outputs depend on."""
    batched = {name: jax.ShapeDtypeStruct((1, *x.shape), x.dtype) for name, x in inputs.items()}
    jaxpr = jax.make_jaxpr(call)(dict(weights), batched).jaxpr
    _, used = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    of_weights, of_inputs = used[: len(weights)], used[len(weights) :]  # in the order of their names
    return (
        [name for name, needed in zip(sorted(weights), of_weights, strict=True) if needed],
        {name: inputs[name] for name, needed in zip(sorted(inputs), of_inputs, strict=True) if needed},
    )


def _export(call: Any, weights: Mapping[str, Any], inputs: Mapping[str, Any]) -> Exported | str:
    (size,) = jax.export.symbolic_shape("batch")
    given = {of: jax.ShapeDtypeStruct((size, *x.shape), x.dtype) for of, x in inputs.items()}
    try:
        exported = jax.export.export(jax.jit(call), platforms=PLATFORMS)(weights, given)
        program = bytes(exported.serialize())
    except Exception as error:  # of any kind: whatever an operation raises that a platform has not
        return next(iter(str(error).splitlines()), type(error).__name__)
    return Exported(program, given, named(jax.tree.unflatten(exported.out_tree, exported.out_avals)))
