"""jaxgen's side of `accelerator.py`: `python benchmarks/on_device_ours.py ROW VARIANT BATCH full|toy` serves a step.

Imports the engine, methods and models alone, which need jax, flax and optax.
"""

import gzip
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
from on_device import serve
from rows import DETERMINISTIC, ROWS, Row

from jaxgen.chips import chip_of
from jaxgen.core import Batch, Method, Net
from jaxgen.layers import dot_product
from jaxgen.likelihoods import bernoulli
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.lazy import adam
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.adversarial.stylegan2 import stylegan2 as style_game
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.methods.flow.flow import image_flow
from jaxgen.methods.latent.iwae import iwae as weighted
from jaxgen.methods.latent.vae import vae
from jaxgen.models.adversarial import biggan as big
from jaxgen.models.adversarial import dcgan as dc
from jaxgen.models.adversarial import resnet_gan, stylegan
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.autoregressive.transformer import Transformer
from jaxgen.models.flow import glow as flow
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.flops import count_flops
from jaxgen.training.pace import Due, calls_of_a_period, due_in_call
from jaxgen.training.sharding import batch_sharding, make_mesh, replicated, shardings_of
from jaxgen.training.step import build_step, compile_step, init_state

RNG = np.random.default_rng(0)
Network = tuple[Method, Batch]


def images(batch: int, size: int, channels: int = 3) -> np.ndarray:
    return RNG.uniform(-1, 1, (batch, size, size, channels)).astype(np.float32)


def dcgan(batch: int, dtype: Any, variant: str, size: int, width: int) -> Network:
    optimizer = optax.adam(2e-4, b1=0.5)
    method = gan(
        Net(dc.Generator((size, size, 3), width, dtype), optimizer),
        Net(dc.Discriminator(width, dtype), optimizer),
        adversarial.non_saturating,
        prior=normal(100),
    )
    return method, {"image": images(batch, size)}


def sngan_resnet(batch: int, dtype: Any, variant: str, width: int, critic_steps: int) -> Network:
    optimizer = optax.adam(2e-4, b1=0.5)
    generator = resnet_gan.Generator((32, 32, 3), (width,) * 4, layers=resnet_gan.plain(dtype=dtype))
    critic = resnet_gan.Discriminator((width // 2,) * 4, dtype=dtype)
    method = gan(
        Net(generator, optimizer),
        Net(critic, optimizer),
        adversarial.non_saturating,
        prior=normal(128),
        critic_steps=critic_steps,
    )
    return method, {"image": images(batch, 32)}


def biggan(batch: int, dtype: Any, variant: str, size: int, width: int, classes: int) -> Network:
    """As in `biggan --data imagenet128`: two critic updates, orthogonal regularization, an average."""
    generator = big.Generator((size, size, 3), classes, width, dtype=dtype)
    critic = big.discriminator(size, classes, width, dtype)
    method = gan(
        Net(generator, optax.adam(5e-5, b1=0.0), ema_decay=0.9999),
        Net(critic, optax.adam(2e-4, b1=0.0)),
        adversarial.hinge,
        prior=normal(big.latent_size(size)),
        critic_steps=2,
        classes=classes,
        generator_regularizers=(regularizers.orthogonal(1e-4),),
    )
    return method, {"image": images(batch, size), "label": RNG.integers(0, classes, batch).astype(np.int32)}


def glow(batch: int, dtype: Any, variant: Any, steps: int, levels: int, width: int) -> Network:
    net = Net(
        flow.glow(steps, levels, width, dtype=dtype, memory=variant), optax.adam(1e-5)
    )  # as no warm-up goes before
    return image_flow(net, event_shape=(32, 32, 3)), {"image": RNG.integers(0, 256, (batch, 32, 32, 3), np.uint8)}


def transformer(batch: int, dtype: Any, variant: str, length: int, width: int, layers: int, heads: int) -> Network:
    model = Transformer(256, width, layers, heads, dtype=dtype)
    method = maximum_likelihood(Net(model, optax.adam(3e-4)), event=(length,), levels=256, field="symbols")
    return method, {"symbols": RNG.integers(0, 256, (batch, length)).astype(np.int32)}


def mlp_vae(batch: int, dtype: Any, variant: str) -> Network:
    optimizer = optax.adam(1e-3)
    encoder, decoder = Net(MLPEncoder(20, dtype=dtype), optimizer), Net(MLPDecoder((28, 28, 1), dtype=dtype), optimizer)
    method = vae(encoder, decoder, bernoulli, latent_size=20)
    return method, {"image": RNG.integers(0, 2, (batch, 28, 28, 1)).astype(np.float32)}


def gated_pixelcnn(batch: int, dtype: Any, variant: str, size: int, width: int, layers: int, kernel: int) -> Network:
    """As wide and deep as the paper's for 32x32 images."""
    model, event = GatedPixelCNN(256, width, layers, kernel, dtype=dtype), (size, size, 3)
    method = maximum_likelihood(Net(model, optax.adam(1e-4)), event=event, levels=256)
    return method, {"image": RNG.integers(0, 256, (batch, *event)).astype(np.int32)}


def iwae(batch: int, dtype: Any, variant: str, draws: int) -> Network:
    """The paper's network with one layer of latents, 784-200-200-50 and back."""
    optimizer, hidden = optax.adam(1e-3), (200, 200)
    method = weighted(
        Net(MLPEncoder(50, hidden, dtype), optimizer),
        Net(MLPDecoder((28, 28, 1), hidden, dtype=dtype), optimizer),
        bernoulli,
        latent_size=50,
        draws=draws,
    )
    return method, {"image": RNG.integers(0, 2, (batch, 28, 28, 1)).astype(np.float32)}


def stylegan2(
    batch: int, dtype: Any, variant: str, features: list[int], latent_size: int, mapping_layers: int
) -> Network:
    """The paper's networks; R1 at every 16th step, the length of paths at every 4th, an average."""
    mapping = stylegan.Mapping(latent_size, mapping_layers)
    generator = stylegan.Generator(tuple(features), 3, mapping, dtype=dtype)
    every = (16, 4)
    optimizers = [adam(2e-3, b1=0.0, b2=0.99, every=k) for k in every]
    method = style_game(
        Net(generator, optimizers[1], ema_decay=0.999, streams=("noise", "mixing")),
        Net(stylegan.Discriminator(tuple(features), dtype=dtype), optimizers[0]),
        prior=normal(latent_size),
        gamma=1.0,
        every=every,
    )
    return method, {"image": images(batch, 4 << (len(features) - 1))}


def build(row: Row, settings: Mapping[str, Any], variant: str) -> Network:
    """The row's method and a batch."""
    return globals()[row.network](dtype=jnp.dtype(row.dtype), variant=variant, **settings)


class Ours:
    """A row's step, compiled, on the first device."""

    def __init__(self, row: Row, settings: Mapping[str, Any], variant: str):
        self.row, self.settings, self.variant = row, settings, variant
        if variant == "deterministic":
            os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}"

    def prepare(self) -> dict[str, Any]:
        self.begun = time.perf_counter()
        method, batch = build(self.row, self.settings, self.variant)
        mesh = make_mesh(devices=jax.devices()[:1])
        state = jax.jit(lambda key: init_state(method, key, batch), out_shardings=replicated(mesh))(jax.random.key(0))
        self.key = jax.device_put(jax.random.key(1), replicated(mesh))
        per_call = self.row.steps_per_call
        leading = (per_call, method.batches_per_step)
        stacked = jax.tree.map(lambda x: np.broadcast_to(x, (*leading, *x.shape)), batch)
        self.batches = jax.device_put(stacked, batch_sharding(mesh, leading_axes=2))
        jax.block_until_ready(state)
        self._say("initialized")
        start = time.perf_counter()

        def trace(due: tuple[Due, ...]) -> Any:
            step = compile_step(build_step(method), mesh, shardings_of(state), due)
            return step.trace(state, self.batches, self.key)

        # What is due in each call, until the same is due again.
        round_ = [due_in_call(method, step, per_call) for step in calls_of_a_period(method, per_call)]
        lowered = {due: trace(due).lower() for due in dict.fromkeys(round_)}
        self._say("traced")
        with ThreadPoolExecutor() as pool:
            programs = {due: pool.submit(timed_compile, program) for due, program in lowered.items()}
            with mock.patch.object(dot_product, "_best", return_value="xla"):  # products that can be counted
                flops = {due: count_flops(trace(due).jaxpr) for due in programs}
            compiled = {due: program.result() for due, program in programs.items()}
        self._say("compiled")
        self.calls = [compiled[due][0] for due in round_]
        self.steps = len(round_) * per_call
        self.state = state
        self.run(self.steps)
        self._say("ran")
        return {
            "compile_seconds": max(end for _, end in compiled.values()) - start,
            "steps": self.steps,
            "flops": sum(flops[due] for due in round_) / self.steps,
            "parameters": sum(x.size for net in state.nets.values() for x in jax.tree.leaves(net.params)),
            "device": (kind := jax.devices()[0].device_kind),
            "peak": chip.peaks.get(self.row.dtype) if (chip := chip_of(kind)) else None,
        }

    def _say(self, done: str) -> None:
        """For the log, which tells of one that was never ready where it had got to."""
        print(f"{done} after {time.perf_counter() - self.begun:.1f} s", file=sys.stderr, flush=True)

    def run(self, count: int) -> None:
        """So many steps, of whole rounds, in which every phase is due as often as in training."""
        for _ in range(-(-count // self.steps)):
            for call in self.calls:
                self.state, self.metrics = call(self.state, self.batches, self.key)
        jax.block_until_ready(self.state)
        if not all(np.isfinite(x).all() for x in jax.tree.leaves(self.metrics)):
            raise FloatingPointError(f"metrics are not finite: {self.metrics}")

    def memory(self) -> int | None:
        """What the arguments, results and temporaries take of the program that takes most."""

        def total(call: Any) -> int:
            sizes = call.memory_analysis()
            return (
                sizes.argument_size_in_bytes
                + sizes.output_size_in_bytes
                + sizes.temp_size_in_bytes
                - sizes.alias_size_in_bytes
            )

        return max(map(total, self.calls))

    def kernels(self) -> list[tuple[str, float]]:
        steps = self.steps * -(-3 // len(self.calls))  # a round of many calls is enough
        with tempfile.TemporaryDirectory() as folder:
            with jax.profiler.trace(folder, create_perfetto_trace=True):
                self.run(steps)
            return dearest(next(Path(folder).rglob("perfetto_trace.json.gz")), steps)


def timed_compile(program: Any) -> tuple[Any, float]:
    """The program, compiled, and when."""
    return program.compile(), time.perf_counter()


def dearest(trace: Path, steps: int, count: int = 40) -> list[tuple[str, float]]:
    """The device's kernels of a Perfetto trace that took the longest: name, how often, and milliseconds a step."""
    events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    spent: dict[str, float] = defaultdict(float)
    processes = {e["pid"]: e["args"]["name"] for e in events if e.get("name") == "process_name"}
    threads = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e.get("name") == "thread_name"}
    for e in events:
        place = e.get("pid"), e.get("tid")
        if e.get("ph") == "X" and "device" in processes.get(place[0], "") and "Stream" in threads.get(place, ""):
            operation = e.get("args", {}).get("hlo_op", "")
            spent[" ".join(dict.fromkeys((operation, e["name"]))).strip()] += e["dur"] / 1e3 / steps
    return [("total", sum(spent.values())), *sorted(spent.items(), key=lambda item: -item[1])[:count]]


def main(name: str, variant: str, settings: str) -> None:
    row = next(row for row in ROWS if row.name == name)
    serve(Ours(row, json.loads(settings), variant))


if __name__ == "__main__":
    main(*sys.argv[1:])
