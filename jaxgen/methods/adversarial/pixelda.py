"""PixelDA: source images translated into the target's look, which a classifier learns from with the source's labels.

Bousmalis et al., 2017, "Unsupervised Pixel-Level Domain Adaptation with Generative Adversarial Networks", equations 2
to 4, without the content loss, which asks for masks of the foreground.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import Field
from jaxgen.losses.adversarial import AdversarialLoss, non_saturating
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.players import STILL


def pixelda(
    generator: Net,
    critic: Net,
    classifier: Net,
    loss: AdversarialLoss = non_saturating,
    *,
    noise: int = 10,
    task: Weight = 1.0,
    field: str = "image",
) -> Method:
    """On the streams `source`, with `label` (int `[batch]`), and `target`, whose labels are only evaluated.

    Args:
      generator: module of `(source images, z [batch, noise]) -> images of the target's look`.
      critic: module of `images -> logits [batch, ...]` that they are the target's.
      classifier: module of `images -> logits [batch, classes]`.
      loss: the game.
      noise: length of z, which is uniform on [-1, 1].
      task: what the generator hears of the classifier, beside the game.
      field: the streams' field of the data.
    """

    def translated(apply: Apply, batch: Batch, key: Array) -> Array:
        x = batch["source"][field]
        return apply("generator", x, jax.random.uniform(key, (len(x), noise), minval=-1.0))

    def judged(apply: Apply, images: Array) -> Array:
        return at_least_float32(apply("critic", images))[0]

    def surprise(apply: Apply, images: Array, label: Array) -> Array:
        (logits,) = at_least_float32(apply("classifier", images))
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, label))

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        fake = translated(view.training(keys[0], hold=STILL), batch, keys[1])
        own = view.training(keys[2])
        real, fake = judged(own, batch["target"][field]), judged(own, fake)
        return jnp.mean(loss.critic(real, fake)), Aux({"real": jnp.mean(real), "fake": jnp.mean(fake)}, own.moved)

    def task_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        """Of source images and of their translations: with the latter alone classes might change places."""
        keys = jax.random.split(key, 3)
        fake = translated(view.training(keys[0], hold=STILL), batch, keys[1])
        own, label = view.training(keys[2]), batch["source"]["label"]
        both = surprise(own, batch["source"][field], label), surprise(own, fake, label)
        return both[0] + both[1], Aux({"source": both[0], "translated": both[1]}, own.moved)

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        own, others = view.training(keys[0]), view.training(keys[1], hold=STILL)
        fake = translated(own, batch, keys[2])
        real = judged(others, batch["target"][field]) if loss.paired else None
        game = jnp.mean(loss.generator(real, judged(others, fake)))
        nats = surprise(others, fake, batch["source"]["label"])
        return game + view.weight(task) * nats, Aux({"game": game, "task": nats}, own.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys, x = jax.random.split(key, 3), batch["source"][field]
        seen = {"generator": (x, jnp.zeros((len(x), noise))), "critic": (batch["target"][field],)}
        seen["classifier"] = seen["critic"]
        return {name: linen.init(modules[name], k, *seen[name]) for name, k in zip(seen, keys, strict=True)}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {
            f"{stream}_accuracy": jnp.argmax(view("classifier", fields[field]), axis=-1) == fields["label"]
            for stream, fields in batch.items()
        }

    translate = Latents(
        lambda key, count, batch: {"image": (batch or {})["source"][field], "key": jax.random.split(key, count)},
        lambda view, latents, key: translated(view, {"source": {field: latents["image"]}}, latents["key"][0]),
        conditional=True,
        shown=lambda batch: batch["source"][field],
    )
    nets = {"generator": generator, "critic": critic, "classifier": classifier}
    phases = (
        Phase("critic", ("critic",), critic_loss),
        Phase("task", ("classifier",), task_loss),
        Phase("generator", ("generator",), generator_loss),
    )
    takes = {"source": {field: Field(), "label": Field(low=0)}, "target": {field: Field()}}
    return Method("PixelDA", nets, phases, init, translate, evaluate, takes=takes)
