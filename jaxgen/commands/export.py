"""`jaxgen export RUN --out FOLDER`: a trained model that runs without jaxgen.

The folder holds a program by function (`sample.bin`, ...), `weights.safetensors`, `card.json`, which says what goes in
and comes out, and `load.py`, the lines below.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from rich.table import Table

import jaxgen
from jaxgen.commands.arguments import parse
from jaxgen.commands.options import Export
from jaxgen.commands.runs import Run
from jaxgen.console import Console, plain
from jaxgen.errors import UserError
from jaxgen.exported import PLATFORMS, Exported, export
from jaxgen.fields import Field
from jaxgen.files import write_atomically
from jaxgen.training import process

LOAD = '''\
"""Loads the model with JAX, NumPy and flatbuffers alone: `from load import load; load("sample")(seed=range(9))`."""
import json, pathlib, jax.export, numpy as np
folder = pathlib.Path(__file__).parent
card, raw = json.loads((folder / "card.json").read_text()), memoryview((folder / "weights.safetensors").read_bytes())
start = 8 + int.from_bytes(raw[:8], "little")
parts = {n: (raw[start:][slice(*of["data_offsets"])], of["shape"]) for n, of in json.loads(bytes(raw[8:start])).items()}
weights = {name: np.frombuffer(part, card["weights"][name]).reshape(shape) for name, (part, shape) in parts.items()}
def load(function):
    call = jax.jit(jax.export.deserialize(bytearray((folder / f"{function}.bin").read_bytes())).call)
    types = card["functions"][function]["inputs"]
    return lambda **inputs: call(weights, {name: np.asarray(x, types[name]["dtype"]) for name, x in inputs.items()})
'''

_ABOUT = {
    "sample": "draws an example for each seed",
    "translate": "makes of each example another",
    "log_prob": "nats of each example; of whole numbers that were dequantized a lower bound, from one draw",
    "encode": "latents of each example",
    "reconstruct": "what is decoded of each example's latents",
}


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Export, args, "jaxgen export")
    options.apply()
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"out is {options.out}, which is no folder; name another.")
    try:
        import flatbuffers  # noqa: F401  # which jax.export needs, and says so in a traceback
        from safetensors.numpy import save
    except ImportError as error:
        raise UserError(f'{error.name} is not installed; install it: `pip install "jaxgen[export]"`.') from error
    process.configure()
    process.check_devices()
    run = Run.open(options.run, options.mesh.make())
    stages = {stage.name: stage.method for stage in run.experiment.stages}
    method, data = stages.get(run.stage.name, run.experiment.method), run.stage.data
    weights, found = export(method, run.state, data.spec)
    functions = {name: of for name, of in found.items() if isinstance(of, Exported)}
    refused = {name: of for name, of in found.items() if isinstance(of, str)}
    if not functions:
        reason = f": {'; '.join(refused.values())}" if refused else ", as it draws no samples and has no density"
        raise UserError(f"{method.name} has no function that can be exported{reason}.")
    card = {
        "experiment": run.settings["experiment"],
        "method": method.name,
        "data": data.name,
        "step": int(run.state.step),
        "versions": {"jaxgen": jaxgen.__version__, "jax": jax.__version__},
        "platforms": PLATFORMS,
        "weights": {name: str(x.dtype) for name, x in weights.items()},
        "functions": {name: _described(name, of, data.fields) for name, of in functions.items()},
        "not_exported": refused,
    }
    files = {f"{name}.bin": of.program for name, of in functions.items()}
    files |= {"weights.safetensors": save(weights), "load.py": LOAD.encode()}
    for name, content in {**files, "card.json": (json.dumps(card, indent=2) + "\n").encode()}.items():
        write_atomically(options.out / name, content)
    console = Console()
    console.print(_table(card))
    wrote = f"Wrote {options.out}/: {', '.join([*files, 'card.json'])}"
    console.print(wrote, markup=False, highlight=False, soft_wrap=True)


def _described(name: str, function: Exported, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A function's part of the card."""
    images = name in ("sample", "translate", "reconstruct")
    return {
        "about": _ABOUT[name],
        "inputs": {of: _shape(x) | _range(of, fields) for of, x in function.inputs.items()},
        "outputs": {
            of: _shape(x) | ({"low": -1, "high": 1} if images and len(x.shape) == 4 else {})
            for of, x in function.outputs.items()
        },
    }


def _shape(x: jax.ShapeDtypeStruct) -> dict[str, Any]:
    return {"shape": [size if isinstance(size, int) else str(size) for size in x.shape], "dtype": str(x.dtype)}


def _range(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What values an input has, as far as the data declares it."""
    field: Any = fields
    for part in name.split("/"):
        field = field.get(part, {}) if isinstance(field, Mapping) else {}
    if not isinstance(field, Field):
        return {}
    known = {"low": field.low, "high": field.high, "levels": field.levels, "classes": field.classes}
    return {what: value for what, value in known.items() if value is not None}


def _table(card: Mapping[str, Any]) -> Table:
    table = Table(title=f"exported for {', '.join(card['platforms'])}: {len(card['weights'])} arrays of weights")
    for header in ("function", "inputs", "outputs"):
        table.add_column(header)
    for name, of in card["functions"].items():
        ends = (
            ", ".join(f"{n} {x['dtype']} {x['shape']}".strip() for n, x in of[end].items())
            for end in ("inputs", "outputs")
        )
        table.add_row(name, *map(plain, ends))
    for name, reason in card["not_exported"].items():
        table.add_row(name, plain(f"not exported: {reason}"), "")
    return table
