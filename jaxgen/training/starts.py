"""First parameters from another run: read once, before the first step, and held to what the network needs."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Method, NetState, Start, TrainState
from jaxgen.errors import UserError
from jaxgen.training.integrity import named


def from_run(run: str | Path, net: str) -> Start:
    """The parameters of network `net` at the newest checkpoint of a run, averaged where it kept an average.

    For `Net(start=...)`: they are read when a run begins, and never again, so the other run may be deleted then.
    """
    return Start(str(run), net)


def started(method: Method, state: TrainState) -> tuple[TrainState, dict[str, str]]:
    """A first state with the parameters that other runs give its networks, and their SHA-256 by network.

    Raises:
      UserError: a run cannot be read, or its network has other parameters.
    """
    nets, digests = dict(state.nets), {}
    for name, net in method.nets.items():
        if net.start is not None:
            params = _read(net.start)
            nets[name] = _started(net.start, params, name, state.nets[name])
            digests[name] = _digest(params)
    return dataclasses.replace(state, nets=nets), digests


def _started(start: Start, read: Any, name: str, net: NetState) -> NetState:
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
    return dataclasses.replace(net, params=params, ema=None if net.ema is None else jax.tree.map(jnp.copy, params))


def _digest(params: Any) -> str:
    digest = hashlib.sha256()
    for name, leaf in sorted(named(params).items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def _read(start: Start) -> Any:
    import orbax.checkpoint as ocp  # imported late: a command's help should not wait for it

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
