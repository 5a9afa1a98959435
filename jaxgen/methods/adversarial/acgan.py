"""AC-GAN: a critic that also names classes, whose answer the generator of a class has to earn; and its remedy.

Odena et al., 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs", section 3. What the generator is paid
for is samples that are easy to classify, so where classes overlap it draws them apart; Gong et al., 2019, "Twin
Auxiliary Classifiers GAN", equation 9, take that pay back by a second classifier, of generated examples alone.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View, Weight
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.players import STILL, Players, check_heads, spectral_norms, taken
from jaxgen.methods.adversarial.priors import Prior, categorical, joint


def acgan(
    generator: Net,
    critic: Net,
    loss: AdversarialLoss,
    *,
    prior: Prior,
    classes: int,
    weight: Weight = 1.0,
    twin: bool = False,
    field: str = "image",
) -> Method:
    """An AC-GAN on the batch fields `field` and `label` (int `[batch]`).

    The classifier learns from real examples; generated ones, whose class is a wish, are no lesson for it.

    Args:
      generator: module of `(*latents, label) -> images`.
      critic: module of `images -> (logits [batch], {"label": [batch, classes]})`, with "twin" beside it where that is
        used; such as `models.adversarial.heads.Heads`.
      loss: the functions of logits.
      prior: of the generator's other latents.
      classes: how many, all as likely in samples.
      weight: of the classifiers' terms.
      twin: whether a second classifier keeps the classes as wide as they are.
      field: the batch field of the data.
    """
    players = Players(joint(prior, categorical(classes)))

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        game, _ = players.play(view, batch[field], batch, keys[0], hold=STILL)
        (real, fake), ((of_real,), (of_fake,)), moved = players.discriminate(view, game, batch, keys[1:3])
        classification = jnp.mean(_surprise(of_real["label"], batch["label"]))
        value = jnp.mean(loss.critic(real, fake)) + view.weight(weight) * classification
        if twin:
            value += view.weight(weight) * jnp.mean(_surprise(of_fake["twin"], game.latents["label"]))
        metrics = {"real": jnp.mean(real), "fake": jnp.mean(fake), "classification": classification}
        return value, Aux({**metrics, **spectral_norms(moved)}, {"critic": moved})

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        game, moved = players.play(view, batch[field], batch, keys[0])
        fake, (heads,), _ = players.judge(view, game.fake, batch, keys[1], hold=STILL)
        real = players.judge(view, game.real, batch, keys[2], hold=STILL)[0] if loss.paired else None
        classification = jnp.mean(_surprise(heads["label"], game.latents["label"]))
        value = jnp.mean(loss.generator(real, fake)) + view.weight(weight) * classification
        if twin:
            value -= view.weight(weight) * jnp.mean(_surprise(heads["twin"], game.latents["label"]))
        return value, Aux({"classification": classification, **spectral_norms(moved)}, {"generator": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        variables = players.init(modules, key, batch[field], batch)
        heads = {"label": classes, "twin": classes} if twin else {"label": classes}
        check_heads("AC-GAN", modules["critic"], variables["critic"], batch[field], heads)
        return variables

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """Beside the critic's accuracy that of its classifier, on real examples: on its own it says nothing."""
        heads = view("critic", batch[field])[1]
        return {
            "critic_accuracy": players.critic_accuracy(view, batch[field], batch, key),
            "class_accuracy": jnp.argmax(heads["label"], -1) == batch["label"],
        }

    return Method(
        name="TAC-GAN" if twin else "AC-GAN",
        nets={"generator": generator, "critic": critic},
        phases=(Phase("critic", ("critic",), critic_loss), Phase("generator", ("generator",), generator_loss)),
        init=init,
        latents=players.sampling(),
        evaluate=evaluate,
        takes=taken(field, classes),
    )


def _surprise(logits: Array, label: Array) -> Array:
    """`-log p(label)` in nats, `[batch]`."""
    return optax.softmax_cross_entropy_with_integer_labels(at_least_float32(logits)[0], label)
