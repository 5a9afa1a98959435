"""pix2pix: images to images by examples of both, near what is told and sharp where it is not.

Isola et al., 2017, "Image-to-Image Translation with Conditional Adversarial Networks", equations 1, 3 and 4. An
absolute error alone gives the median of what may be right, which is blurred; a critic who sees both images does not.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import SIGNED
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32, mean_absolute
from jaxgen.methods.adversarial.players import STILL
from jaxgen.methods.fits import check_output


def pix2pix(generator: Net, critic: Net, loss: AdversarialLoss, *, weight: Weight = 100.0) -> Method:
    """On the batch fields `image`, what is given, and `target`, what it shall become.

    Both are `[batch, height, width, channels]` in [-1, 1].

    Args:
      generator: module of `images -> images`; what it draws from a stream, such as "dropout", is its noise, in
        sampling as in training.
      critic: module of `(images, images) -> logits [batch, ...]`, one or one a patch.
      loss: the functions of logits.
      weight: of the mean absolute error.
    """

    def judge(apply: Apply, batch: Batch, images: Array) -> Array:
        return at_least_float32(apply("critic", batch["image"], images))[0]

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key)
        fake, own = view.training(keys[0], hold=STILL)("generator", batch["image"]), view.training(keys[1])
        real, fake = judge(own, batch, batch["target"]), judge(own, batch, fake)
        return jnp.mean(loss.critic(real, fake)), Aux({"real": jnp.mean(real), "fake": jnp.mean(fake)}, own.moved)

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key)
        own, critic = view.training(keys[0]), view.training(keys[1], hold=STILL)
        images = own("generator", batch["image"])
        fake = judge(critic, batch, images)
        real = judge(critic, batch, batch["target"]) if loss.paired else None
        error = jnp.mean(jnp.abs(at_least_float32(images)[0] - batch["target"]))
        return jnp.mean(loss.generator(real, fake)) + view.weight(weight) * error, Aux({"l1": error}, own.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        generator = linen.init(modules["generator"], keys[0], batch["image"])
        check_output("the targets' shape", batch["target"].shape[1:], modules["generator"], generator, batch["image"])
        return {
            "generator": generator,
            "critic": linen.init(modules["critic"], keys[1], batch["image"], batch["target"]),
        }

    def prior(key: Array, count: int, batch: Batch | None) -> Array:
        assert batch is not None  # `conditional` says so
        return batch["image"]

    def decode(view: View, images: Array, key: Array) -> Array:
        return view.train("generator", images, key=key, hold=STILL)[0]  # what moves is thrown away

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """Distance to the truth, and sharpness beside the truth's: a median is near, and not sharp."""
        images = at_least_float32(decode(view, batch["image"], key))[0]
        return {
            "l1": mean_absolute(images, batch["target"]),
            "gradient_energy": gradient_energy(images),
            "gradient_energy_of_targets": gradient_energy(batch["target"]),
        }

    return Method(
        name="pix2pix",
        nets={"generator": generator, "critic": critic},
        phases=(Phase("critic", ("critic",), critic_loss), Phase("generator", ("generator",), generator_loss)),
        init=init,
        latents=Latents(prior, decode, conditional=True),
        evaluate=evaluate,
        takes={"image": SIGNED, "target": SIGNED},
    )


def gradient_energy(images: Array) -> Array:
    """Mean squared difference of neighbouring pixels, `[batch]`: how sharp images are."""
    down, across = (jnp.mean(jnp.square(jnp.diff(images, axis=axis)), (1, 2, 3)) for axis in (1, 2))
    return down + across
