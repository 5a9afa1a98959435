"""What a compiler made of a program: its text and memory, kept on disk, so that the same is not compiled again.

JAX's own cache holds executables, which cannot be read back where their devices are not.
"""

import contextlib
import dataclasses
import gzip
import hashlib
import json
import os
import time
import zlib
from pathlib import Path
from typing import Any

import jax
import platformdirs
from jax.sharding import Mesh

from jaxgen.aot.topology import Topology
from jaxgen.files import write_atomically

_QUICK = 10.0  # seconds: what compiles within them is not kept


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of one device's memory, as the compiler has planned it.

    Attributes:
      arguments: state, batch and key.
      temporaries: what lives only during the step.
      outputs: the new state and metrics.
      donated: outputs that take the place of arguments.
      code: the program itself.
    """

    arguments: int
    temporaries: int
    outputs: int
    donated: int
    code: int

    @property
    def total(self) -> int:
        """All of it at once."""
        return self.arguments + self.temporaries + self.outputs - self.donated + self.code


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compiled program.

    Attributes:
      text: its instructions, as XLA writes them.
      memory: of one device.
      kept: whether it was found on disk.
    """

    text: str
    memory: Memory
    kept: bool = False

    @classmethod
    def of(cls, traced: jax.stages.Traced, mesh: Mesh, topology: Topology) -> "Compiled":
        """What the topology's compiler makes of a program for a mesh of its devices, now or in an earlier call.

        Raises:
          jax.errors.JaxRuntimeError: the compiler refuses it.
        """
        lowered = traced.lower()
        file = _folder() / f"{_key(lowered, mesh, topology)}.json.gz"
        with contextlib.suppress(
            OSError, EOFError, zlib.error, ValueError, LookupError, TypeError
        ):  # none, or not whole
            return cls.from_json(json.loads(gzip.decompress(file.read_bytes())))
        start = time.monotonic()
        compiled = _compile(lowered)
        if time.monotonic() - start > _QUICK:
            content = json.dumps(dataclasses.asdict(compiled)).encode()
            with contextlib.suppress(OSError):  # a full disk: what was compiled is worth more
                write_atomically(file, gzip.compress(content, compresslevel=1))
        return compiled

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Compiled":
        """What `dataclasses.asdict` made of one."""
        return cls(str(found["text"]), Memory(**found["memory"]), kept=True)


def _compile(lowered: jax.stages.Lowered) -> Compiled:
    before: Any = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)  # it warns of each executable that it cannot read back
    try:
        compiled = lowered.compile()
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
    planned: Any = compiled.memory_analysis()
    memory = Memory(
        arguments=planned.argument_size_in_bytes,
        temporaries=planned.temp_size_in_bytes,
        outputs=planned.output_size_in_bytes,
        donated=planned.alias_size_in_bytes,
        code=planned.generated_code_size_in_bytes,
    )
    return Compiled(compiled.as_text() or "", memory)


def _key(lowered: jax.stages.Lowered, mesh: Mesh, topology: Topology) -> str:
    """The program, names of its operations included, where its parts are, and who compiles it by which flags."""
    places = [device.id for device in mesh.devices.flat]
    flags = [os.environ.get(name, "") for name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS")]
    told = [str(topology), topology.compiler, jax.__version__, places, mesh.axis_names, mesh.devices.shape, flags]
    text = json.dumps(told) + lowered.as_text(debug_info=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _folder() -> Path:
    return Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or platformdirs.user_cache_dir("jaxgen")) / "predicted"
