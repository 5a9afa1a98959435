"""CycleGAN: two domains of unpaired images, a translator each way, and that there and back is where one began.

Zhu et al., 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", equations 1 to 3;
critics see a pool of earlier translations (section 4).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import SIGNED
from jaxgen.losses.adversarial import AdversarialLoss, least_squares
from jaxgen.losses.arrays import at_least_float32, mean_absolute
from jaxgen.methods.adversarial.players import STILL
from jaxgen.methods.adversarial.pool import empty, exchange
from jaxgen.methods.fits import check_output


def cyclegan(
    forward: Net,
    backward: Net,
    critic: Net,
    *,
    cycle: Weight = 10.0,
    identity: Weight | None = 5.0,
    loss: AdversarialLoss = least_squares,
    pool: int = 50,
) -> Method:
    """Translators "a_to_b" and "b_to_a" between the streams `a` and `b`, images in [-1, 1] as field `image`.

    Args:
      forward: module of `images of a -> images of b`.
      backward: module of `images of b -> images of a`.
      critic: module of `images -> logits [batch, ...]`, one for each domain, "critic_a" and "critic_b".
      cycle: weight of `|there and back - x|`.
      identity: weight of `|translated into its own domain - x|`; None lets colours change (their section 5.2), and the
        domains have other channels.
      loss: the game; their D is halved, which Adam does not feel.
      pool: translations each critic remembers.
    """

    def distance(x: Array, y: Array) -> Array:
        return jnp.mean(mean_absolute(x, y))

    def generators(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        a, b, training = batch["a"]["image"], batch["b"]["image"], view.training(key, hold=STILL)
        fake_b, fake_a = training("a_to_b", a), training("b_to_a", b)
        there_and_back = distance(training("b_to_a", fake_b), a) + distance(training("a_to_b", fake_a), b)
        game = itself = jnp.zeros(())
        if identity is not None:
            itself = distance(training("a_to_b", b), b) + distance(training("b_to_a", a), a)
        for domain, real, fake in (("a", a, fake_a), ("b", b, fake_b)):
            judge = lambda x, name=f"critic_{domain}": at_least_float32(training(name, x))[0]  # noqa: E731
            fake = judge(fake)
            game += jnp.mean(loss.generator(judge(real) if loss.paired else None, fake))
        total = game + view.weight(cycle) * there_and_back + view.weight(identity or 0.0) * itself
        moved = {name: training.moved[name] for name in ("a_to_b", "b_to_a")}
        return total, Aux({"game": game, "cycle": there_and_back, "identity": itself}, moved)

    def judges(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        total, memory, moved = jnp.zeros(()), {}, {}
        for index, (domain, other) in enumerate((("a", "b"), ("b", "a"))):
            keys = jax.random.split(jax.random.fold_in(key, index), 3)
            fresh, _ = view.train(f"{other}_to_{domain}", batch[other]["image"], key=keys[0], hold=STILL)
            shown, memory[f"pool_{domain}"] = exchange(view.memory[f"pool_{domain}"], fresh, keys[1])
            training = view.training(keys[2])
            real, fake = (at_least_float32(training(f"critic_{domain}", x))[0] for x in (batch[domain]["image"], shown))
            total += jnp.mean(loss.critic(real, fake))
            moved |= training.moved
        return total, Aux(variables=moved, memory=memory)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        images, keys = {name: batch[name]["image"] for name in ("a", "b")}, jax.random.split(key, 4)
        seen = {"a_to_b": "a", "b_to_a": "b", "critic_a": "a", "critic_b": "b"}
        found = {n: linen.init(modules[n], key, images[seen[n]]) for n, key in zip(seen, keys, strict=True)}
        for name, of, to in (("a_to_b", "a", "b"), ("b_to_a", "b", "a")):
            check_output(f"the shape of {to}'s images", images[to].shape[1:], modules[name], found[name], images[of])
        return found

    def memory(key: Array, batch: Batch) -> Mapping[str, Any]:
        return {f"pool_{domain}": empty(pool, batch[domain]["image"][0]) for domain in ("a", "b")}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """There and back; and, where the truth is a field `target`, how far from it a translation is, and the image
        itself where it is of the same shape: a small cycle says nothing of either."""
        figures = {}
        for domain, other in (("a", "b"), ("b", "a")):
            if domain in batch:
                x = batch[domain]["image"]
                there = view(f"{domain}_to_{other}", x)
                figures[f"cycle_{domain}"] = mean_absolute(view(f"{other}_to_{domain}", there), x)
                if (target := batch[domain].get("target")) is not None:
                    figures[f"error_{domain}"] = mean_absolute(there, target)
                    if target.shape == x.shape:
                        figures[f"identity_error_{domain}"] = mean_absolute(x, target)
        return figures

    translate = Latents(
        lambda key, count, batch: {"image": (batch or {})["a"]["image"]},
        lambda view, latents, key: view("a_to_b", latents["image"]),
        conditional=True,
        shown=lambda batch: batch["a"]["image"],
    )
    nets = {"a_to_b": forward, "b_to_a": backward, "critic_a": critic, "critic_b": critic}
    phases = (Phase("generators", ("a_to_b", "b_to_a"), generators), Phase("critics", ("critic_a", "critic_b"), judges))
    takes = {domain: {"image": SIGNED} for domain in ("a", "b")}
    return Method("CycleGAN", nets, phases, init, translate, evaluate, memory=memory, takes=takes)
