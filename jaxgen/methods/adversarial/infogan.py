"""InfoGAN: parts of the latents that can be read from the image, because the generator is paid for it.

Chen et al., 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial
Nets", equation 6. The recognition network is a head of the critic's, and shares its trunk.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32
from jaxgen.losses.information import information_bound
from jaxgen.losses.variational import gaussian_log_prob
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.players import STILL, Players, check_heads, spectral_norms, taken
from jaxgen.methods.adversarial.priors import Prior


@dataclasses.dataclass(frozen=True)
class Code:
    """A part of the latents that is to be recognized.

    Attributes:
      name: of the latents and of the critic's head.
      prior: of the part alone.
      outputs: how many numbers the head gives.
      log_q: `(the head's outputs [batch, n], the generator's input) -> [batch]`, what is said of the code, in nats.
      log_p: `input -> [batch]`, its log-probability or density under the prior.
      read: the head's outputs to latents, as likely as any.
      weight: of its information in the game.
    """

    name: str
    prior: Prior
    outputs: int
    log_q: Callable[[Array, Array], Array]
    log_p: Callable[[Array], Array]
    read: Callable[[Array], Array]
    weight: Weight = 1.0


def category(name: str, classes: int) -> Code:
    """One of so many classes, each as likely; the head has as many outputs."""
    return Code(
        name,
        priors.categorical(classes, name),
        classes,
        lambda outputs, code: jnp.take_along_axis(jax.nn.log_softmax(outputs), code[:, None], 1)[:, 0],
        lambda code: jnp.full(code.shape, -math.log(classes)),
        lambda outputs: jnp.argmax(outputs, -1),
    )


def interval(name: str, weight: Weight = 1.0) -> Code:
    """A number uniform on [-1, 1]; the head gives a Gaussian's mean and log-variance, two outputs.

    There is no end to what can be said of a number; the paper has a weight of 1 for categories, and less for numbers.
    """
    return Code(
        name,
        priors.uniform(1, name),
        2,
        lambda outputs, code: gaussian_log_prob(code, outputs[:, :1], outputs[:, 1:]),
        lambda code: jnp.full(code.shape[:1], -math.log(2)),
        lambda outputs: jax.scipy.special.ndtri((jnp.clip(outputs[:, :1], -0.999, 0.999) + 1) / 2),
        weight,
    )


def infogan(
    generator: Net,
    critic: Net,
    loss: AdversarialLoss,
    *,
    noise: Prior,
    codes: Sequence[Code],
    field: str = "image",
) -> Method:
    """An InfoGAN on the batch field `field`.

    Args:
      generator: module of `(*noise, *codes) -> images`.
      critic: module of `images -> (logits [batch], {code: outputs})`, such as `models.adversarial.heads.Heads`.
      loss: the functions of logits.
      noise: the latents that nobody reads.
      codes: those that are read.
      field: the batch field of the data.
    """
    players = Players(priors.joint(noise, *(code.prior for code in codes)))

    def information(heads: Mapping[str, Array], latents: Mapping[str, Array]) -> dict[str, Array]:
        """How much of each code is read at least, `{code: [batch]}`, in nats."""
        values = players.prior.inputs(latents)[-len(codes) :]
        return {
            code.name: information_bound(code.log_q(at_least_float32(heads[code.name])[0], value), code.log_p(value))
            for code, value in zip(codes, values, strict=True)
        }

    def informed(
        view: View, heads: Mapping[str, Array], latents: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        found = {name: jnp.mean(nats) for name, nats in information(heads, latents).items()}
        paid = sum((view.weight(code.weight) * found[code.name] for code in codes), jnp.zeros(()))
        return -paid, {f"information_{name}": x for name, x in found.items()}

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        game, _ = players.play(view, batch[field], batch, keys[0], hold=STILL)
        (real, fake), (_, (heads,)), moved = players.discriminate(view, game, batch, keys[1:3])
        added, metrics = informed(view, heads, game.latents)
        metrics |= {"real": jnp.mean(real), "fake": jnp.mean(fake), **spectral_norms(moved)}
        return jnp.mean(loss.critic(real, fake)) + added, Aux(metrics, {"critic": moved})

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        game, moved = players.play(view, batch[field], batch, keys[0])
        fake, (heads,), _ = players.judge(view, game.fake, batch, keys[1], hold=STILL)
        real = players.judge(view, game.real, batch, keys[2], hold=STILL)[0] if loss.paired else None
        added, metrics = informed(view, heads, game.latents)
        return jnp.mean(loss.generator(real, fake)) + added, Aux(metrics | spectral_norms(moved), {"generator": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        variables, heads = players.init(modules, key, batch[field], batch), {code.name: code.outputs for code in codes}
        check_heads("InfoGAN", modules["critic"], variables["critic"], batch[field], heads)
        return variables

    def encode(view: View, batch: Batch) -> dict[str, Array]:
        """What is read from images; of the rest of the latents, nothing."""
        heads = view("critic", batch[field])[1]
        unread = jax.tree.map(jnp.zeros_like, noise.draw(jax.random.key(0), batch[field].shape[0]))
        return {**unread, **{code.name: code.read(heads[code.name]) for code in codes}}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        latents = players.prior.draw(key, batch[field].shape[0])
        found = information(view("critic", players.decode(view, latents, key))[1], latents)
        return {
            "critic_accuracy": players.critic_accuracy(view, batch[field], batch, key),
            **{f"information_{name}_nats": nats for name, nats in found.items()},
        }

    return Method(
        name="InfoGAN",
        nets={"generator": generator, "critic": critic},
        phases=(Phase("critic", ("critic",), critic_loss), Phase("generator", ("generator",), generator_loss)),
        init=init,
        latents=Latents(players.latents, players.decode, encode, players.standing),
        evaluate=evaluate,
        takes=taken(field),
    )
