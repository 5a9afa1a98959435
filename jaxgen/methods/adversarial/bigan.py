"""BiGAN, or ALI: a generator and an encoder against a critic of pairs, who invert each other where they have won.

Donahue et al., 2017, "Adversarial Feature Learning", equation 3 and theorem 2; Dumoulin et al., 2017, "Adversarially
Learned Inference"; with a critic that returns three scores, the unary terms of Donahue & Simonyan, 2019, BigBiGAN.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.players import STILL, taken
from jaxgen.methods.adversarial.priors import Prior
from jaxgen.methods.fits import check_output


def bigan(
    generator: Net, encoder: Net, critic: Net, loss: AdversarialLoss, *, prior: Prior, field: str = "image"
) -> Method:
    """A BiGAN on the batch field `field`.

    Generator and encoder minimise the critic's own loss with the two kinds of pairs exchanged: each wants its pairs to
    pass for the other's, and each gets as strong a gradient as the critic had.

    Args:
      generator: module of `z [batch, n] -> images`.
      encoder: module of `images -> z [batch, n]`.
      critic: module of `(images, z) -> logits [batch]`, real where z is the encoder's; or a tuple of such.
      loss: the functions of logits; the generator's is not used.
      prior: of z, one part.
      field: the batch field of the data.
    """

    def play(apply: Apply, judge: Apply, batch: Batch, key: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Scores of the pairs (x, E(x)) and of the pairs (G(z), z)."""
        (z,) = prior.inputs(prior.draw(key, batch[field].shape[0]))
        real = judge("critic", batch[field], apply("encoder", batch[field]))
        return _scores(real), _scores(judge("critic", apply("generator", z), z))

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        others, own = view.training(keys[0], hold=STILL), view.training(keys[1])
        real, fake = play(others, own, batch, keys[2])
        value = sum((jnp.mean(loss.critic(r, f)) for r, f in zip(real, fake, strict=True)), jnp.zeros(()))
        return value, Aux({"real": jnp.mean(real[0]), "fake": jnp.mean(fake[0])}, own.moved)

    def players_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        own, critic = view.training(keys[0]), view.training(keys[1], hold=STILL)
        real, fake = play(own, critic, batch, keys[2])
        value = sum((jnp.mean(loss.critic(f, r)) for r, f in zip(real, fake, strict=True)), jnp.zeros(()))
        return value, Aux({}, own.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key, 4)
        (z,) = prior.inputs(prior.draw(keys[3], batch[field].shape[0]))
        generator = linen.init(modules["generator"], keys[0], z)
        encoder = linen.init(modules["encoder"], keys[1], batch[field])
        check_output("the data's shape", batch[field].shape[1:], modules["generator"], generator, z)
        check_output("the size of the prior's z", z.shape[1:], modules["encoder"], encoder, batch[field])
        critic = linen.init(modules["critic"], keys[2], batch[field], z)
        return {"generator": generator, "encoder": encoder, "critic": critic}

    def draw(key: Array, count: int, batch: Batch | None) -> dict[str, Array]:
        return prior.draw(key, count)

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        return view("generator", *prior.inputs(latents))

    def encode(view: View, batch: Batch) -> dict[str, Array]:
        (name,) = jax.eval_shape(lambda: prior.draw(jax.random.key(0), 1))
        return {name: view("encoder", batch[field])}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """How far G(E(x)) is from x, and how far a random image is: their ratio is 1 where nothing was learned."""
        x = batch[field]
        (z,) = prior.inputs(prior.draw(key, x.shape[0]))
        scores = (_scores(view("critic", *pair))[0] for pair in ((x, view("encoder", x)), (view("generator", z), z)))
        real, fake = scores

        def distance(y: Array) -> Array:
            return jnp.sqrt(jnp.sum(jnp.square(y - x), axis=tuple(range(1, x.ndim))))

        return {
            "critic_accuracy": (1 + jnp.sign(real - fake)) / 2,
            "reconstruction": distance(view("generator", view("encoder", x))),
            "random_reconstruction": distance(view("generator", z)),
        }

    return Method(
        name="BiGAN",
        nets={"generator": generator, "encoder": encoder, "critic": critic},
        phases=(Phase("critic", ("critic",), critic_loss), Phase("players", ("generator", "encoder"), players_loss)),
        init=init,
        latents=Latents(draw, decode, encode),
        evaluate=evaluate,
        takes=taken(field),
    )


def _scores(output: Any) -> tuple[Array, ...]:
    return tuple(at_least_float32(*(output if isinstance(output, tuple) else (output,))))
