"""Sampling by jaxgen: `python benchmarks/sampling_ours.py NETWORK naive|cached|jacobi [RUN]` serves draws of a batch.

Each with the same Gumbel noise, so that all three draw the same. RUN, of `jaxgen train`, has the weights; without one
they are random ones, which decide the number of Jacobi's passes, and nothing of the others' time.
"""

import functools
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from alternate import serve

from jaxgen import sampling
from jaxgen.commands.compress import open_run
from jaxgen.models.autoregressive.contract import AutoregressiveModel
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.autoregressive.transformer import Transformer
from jaxgen.models.autoregressive.wavenet import WaveNet
from jaxgen.training import process

NETWORKS: dict[str, tuple[AutoregressiveModel, int, tuple[int, ...]]] = {  # the model, samples in a draw, their shape
    "gated_pixelcnn": (GatedPixelCNN(17, 32, 4, 3), 16, (8, 8, 1)),
    "transformer": (Transformer(256, 128, 4, 4), 32, (64,)),
    "wavenet": (WaveNet(256, 24, 128), 4, (512,)),
}


def main(name: str, way: str, run: str = "") -> None:
    process.configure()
    shipped, count, event = NETWORKS[name]
    model: Any = shipped
    if run:
        opened, view = open_run(Path(run))
        model, params = opened.method.nets["model"].module, view.params["model"]
    else:
        params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, *event), jnp.int32))["params"]
    size = int(np.prod(event))

    def apply(method: str, *args: Any) -> Any:
        return model.apply({"params": params}, *args, method=method)

    def logits(x: jax.Array) -> jax.Array:
        return apply("logits", x.reshape(count, *event)).reshape(count, size, model.levels)

    @jax.jit
    def draw(noise: jax.Array) -> jax.Array:
        if way == "naive":
            return sampling.naive(logits, noise, model.order(event))
        if way == "jacobi":
            return sampling.jacobi(logits, noise)[0]
        start = apply("start", event, count)
        return sampling.cached(functools.partial(apply, "step"), start, noise, model.order(event))

    noise = jax.random.gumbel(jax.random.key(1), (count, size, model.levels))

    def draws(times: int) -> None:
        for _ in range(times):
            draw(noise).block_until_ready()

    serve(draws, sum(leaf.size for leaf in jax.tree.leaves(params)))


if __name__ == "__main__":
    main(*sys.argv[1:])
