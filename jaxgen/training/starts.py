"""First parameters from another run: read once, before the first step, and held to what the network needs."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxgen.core import Method, NetState, Start, TrainState
from jaxgen.errors import UserError
from jaxgen.training.integrity import named


def from_run(run: str | Path, net: str) -> Start:
    """The parameters of network `net` at the newest checkpoint of a run, averaged where it kept an average.

    For `Net(start=...)`: they are read when a run begins, and never again, so the other run may be deleted then.
    """
    return Start(str(run), net)


def started(method: Method, state: TrainState) -> TrainState:
    """A first state with the parameters that other runs give its networks.

    Raises:
      UserError: a run cannot be read, or its network has other parameters.
    """
    nets = {name: _started(net.start, name, state.nets[name]) for name, net in method.nets.items()}
    return dataclasses.replace(state, nets=nets)


def _started(start: Start | None, name: str, net: NetState) -> NetState:
    if start is None:
        return net
    read = _read(start)
    found, wanted = named(read), named(net.params)
    if wrong := sorted(
        leaf
        for leaf in found.keys() | wanted.keys()
        if leaf not in found or leaf not in wanted or found[leaf].shape != wanted[leaf].shape
    ):
        raise UserError(
            f"network {name!r} cannot start from {start.net!r} of {start.run}: {', '.join(wrong[:3])}"
            f"{' and others' if len(wrong) > 3 else ''} differ in name or shape; give it the same module."
        )

    def placed(path: Any, leaf: jax.Array) -> jax.Array:
        value = np.asarray(found[jax.tree_util.keystr(path, simple=True, separator="/")], leaf.dtype)
        return jax.make_array_from_callback(leaf.shape, leaf.sharding, lambda index: value[index])

    params = jax.tree_util.tree_map_with_path(placed, net.params)
    return dataclasses.replace(net, params=params, ema=None if net.ema is None else jax.tree.map(_copy, params))


def _copy(x: jax.Array) -> jax.Array:
    return x + 0


def _read(start: Start) -> Any:
    folder = Path(start.run).absolute() / "checkpoints"
    steps = sorted((int(path.name) for path in folder.glob("*") if path.name.isdigit()), reverse=True)
    for step in steps:
        at: Any = folder / str(step) / "state"
        try:
            state: Any = ocp.StandardCheckpointHandler().restore(at)
        except Exception:  # whatever the damaged file made its reader raise
            continue
        nets = state["nets"]
        if start.net not in nets:
            raise UserError(f"run {start.run} has no network {start.net!r}; it has {', '.join(nets)}.")
        net = nets[start.net]
        return net["params"] if net.get("ema") is None else net["ema"]
    raise UserError(f"start: {start.run} has no checkpoint that is whole; name the folder of a run.")
