"""People in another pose: one picture of somebody and the joints of the pose that is wanted, to that picture.

`jaxgen train people`; the people are drawn inside the compiled step, so there is no end of them. `--constraint fixed`
adds what a parser of bodies, learned from a few labelled pictures, says of what is drawn beside what it says of the
truth, and `learned` lets the parser learn on by telling one from the other. `--data FOLDER --constraint none` trains on
pictures of one's own: see `jaxgen.data.posed`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from head import Networks
from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Evaluation, Method, Net, Phase, TrainState, View
from jaxgen.data.figures import PARTS, figures, heat_maps
from jaxgen.data.likeness import likeness
from jaxgen.data.posed import posed_pairs
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.methods.knowledge.conditional_regularization import steer_conditional
from jaxgen.models.adversarial.translation import PatchCritic, UNet
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage, carry_over

PAPER = "Ma et al., 2017; Hu et al., 2018"
MEASURED = {"figures": "not yet run"}
PAIRS = 200  # of the figures


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    data: str = "figures"
    """People drawn here, or a folder of pictures in pairs."""
    steps: int = 4000
    """Training steps, the parser's included."""
    batch_size: int = 16
    """Pairs in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size, for all networks."""
    size: int = 32
    """Pixels a side."""
    width: int = 32
    """Channels of the largest hidden maps."""
    weight: float = 100.0
    """Of the absolute error, beside the critic's word."""
    constraint: Literal["none", "fixed", "learned"] = "none"
    """What is known of bodies: nothing, what the parser says, or what it comes to say."""
    alpha: float = 10.0
    """Nats that a nat of the parser's surprise a pixel is worth."""
    labelled: int = 200
    """Pictures that the parser learns from."""
    parsed: float = 0.2
    """Share of the steps in which it does, the first ones."""


class Parser(nn.Module):
    """Images `[batch, height, width, 3]` to logits of a part at each pixel, `[batch, height, width, parts]`."""

    width: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return 10 * UNet(len(PARTS), self.width, depth=3, dropout=0, dtype=self.dtype)(x).astype(jnp.float32)


def parsing(parser: Net) -> Method:
    """The parser by labels, the batch fields `image` and `image_parts`."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        logits = training("parser", batch["image"][..., :3])
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch["image_parts"])
        return jnp.mean(nats), Aux(variables=training.moved)

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        right = jnp.argmax(view("parser", batch["image"][..., :3]), axis=-1) == batch["image_parts"]
        return {"pixels_parsed": jnp.mean(right, axis=(1, 2))}

    def init(modules: Mapping[str, Any], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"parser": linen.init(modules["parser"], key, batch["image"][..., :3])}

    return Method("parsing", {"parser": parser}, (Phase("parser", ("parser",), loss),), init, None, evaluate)


def surprise(name: str) -> Any:
    """Minus the cross entropy a pixel: of network `name` on a picture, under the parser on the right one."""

    def f(apply: Apply, x: Array, batch: Batch) -> Array:
        told = jax.nn.softmax(jax.lax.stop_gradient(apply("parser", batch["target"])))
        return jnp.mean(jnp.sum(told * jax.nn.log_softmax(apply(name, x)), axis=-1), axis=(1, 2))

    return f


def inherited(old: TrainState, fresh: TrainState) -> TrainState:
    """What the parser has learned passes on, and to the one that learns on."""
    state = carry_over(old, fresh)
    if "constraint" not in state.nets:
        return state
    begun = dataclasses.replace(state.nets["constraint"], params=state.nets["parser"].params)
    return dataclasses.replace(state, nets={**state.nets, "constraint": begun})


def posed(batch: Any) -> Any:
    """The picture with a map for each joint of the target's pose appended, and the target."""
    size = batch["image"].shape[1]
    maps = jax.vmap(lambda at: heat_maps(at, size))(batch["target_keypoints"])
    return {**batch, "image": jnp.concatenate([batch["image"], 2 * maps - 1], axis=-1)}


def judged(method: Method) -> Evaluation:
    """Held-out pairs; beside them copies of the source, the mean of the targets, and a blank."""
    latents = method.latents
    assert latents is not None

    def answered(view: View, batch: Batch) -> Array:
        return latents.decode(view, batch["image"], jax.random.key(0))

    def figure(images: Any, batch: Any) -> Mapping[str, float]:
        images = np.broadcast_to(images, batch["target"].shape)
        found = likeness(images, batch["target"], batch["target_parts"])
        return {f"people_{name}": value for name, value in found.items()}

    def of(what: Any) -> Any:
        def compute(model: Any, data: Any) -> Mapping[str, float]:
            batch = data.test[np.arange(PAIRS)]
            return figure(what(model, batch), batch)

        return compute

    drawn = of(lambda model, batch: model.apply(answered, batch))
    nulls = {
        "untrained": drawn,
        "copied": of(lambda _, batch: batch["image"][..., :3]),
        "mean": of(lambda _, batch: batch["target"].mean(0)),
        "blank": of(lambda _, batch: np.ones(3)),
    }
    return Evaluation("people", drawn, nulls=nulls)


def experiment(config: Config) -> Experiment:
    """A U-Net of four halvings, and a critic of patches of 34 pixels."""
    ours = config.data == "figures"
    if config.constraint != "none" and not ours:
        raise UserError(f"constraint is {config.constraint!r}, which needs pictures with their parts; set it to none.")
    data = (figures(config.size) if ours else posed_pairs(config.data, size=config.size)).map(posed)
    adam = optax.adam(config.learning_rate, b1=0.5)
    method = pix2pix(
        Net(UNet(3, config.width, depth=4, dropout=1, dtype=config.dtype), adam, streams=("dropout",)),
        Net(PatchCritic(2, config.width, dtype=config.dtype), adam),
        adversarial.non_saturating,
        weight=config.weight,
    )
    schedule = Schedule(config.steps, sample_every=1000, checkpoint_every=1000)
    common = {"data": data, "schedule": schedule, "batch_size": config.batch_size, "seed": config.seed}
    if config.constraint == "none":
        return Experiment(method=dataclasses.replace(method, evaluations=(judged(method),) if ours else ()), **common)
    parser, first = Parser(config.width, config.dtype), max(1, round(config.parsed * config.steps))
    learned = config.constraint == "learned"
    method = steer_conditional(
        method,
        surprise("constraint" if learned else "parser"),
        alpha=config.alpha,
        through="generator",
        truth="target",
        nets={"parser": Net(parser), **({"constraint": Net(parser, adam)} if learned else {})},
        learned="constraint" if learned else None,
    )
    method = dataclasses.replace(method, evaluations=(judged(method),))
    few = figures(config.size, train=config.labelled).map(posed)
    return Experiment(
        stages=(
            Stage("parser", parsing(Net(parser, optax.adam(1e-3))), first, data=few),
            Stage("game", method, carry=inherited),
        ),
        **common,
    )
