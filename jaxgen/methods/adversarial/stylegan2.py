"""StyleGAN2: a GAN with R1 and the length of paths in w, each taken every few steps, and the mean of w for truncation.

Karras et al., 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 3 and appendix B.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Latents, Method, Net, Variables, View, Weight
from jaxgen.losses import penalties
from jaxgen.losses.adversarial import AdversarialLoss, non_saturating
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.lazy import lazily
from jaxgen.methods.adversarial.players import STILL, Players
from jaxgen.methods.adversarial.priors import Prior, categorical, joint
from jaxgen.methods.adversarial.regularizers import Game, Regularizer, r1

_MEAN_OF = 10_000  # latents whose w are averaged
_TRUNCATION = "truncation"  # among latents: psi of Karras et al. 2019, appendix B, of each sample


def stylegan2(
    generator: Net,
    critic: Net,
    loss: AdversarialLoss = non_saturating,
    *,
    prior: Prior,
    classes: int | None = None,
    gamma: Weight = 10.0,
    path_weight: Weight = 2.0,
    every: tuple[int, int] = (16, 4),
    field: str = "image",
) -> Method:
    """A StyleGAN2 on the batch field `field`.

    Args:
      generator: `models.adversarial.stylegan.Generator`, or a module with its methods `styles` and `synthesis`, and
        its `truncation` where samples are to be truncated; its optimizer is best a `lazy.adam`, as the critic's is.
      critic: module of `images -> logits [batch]`.
      loss: the functions of logits.
      prior: of z.
      classes: as of `gan`.
      gamma: of R1.
      path_weight: of the length of paths.
      every: steps from one R1 to the next, and from one look at paths to the next.
      field: the batch field of the data.
    """
    players = Players(prior if classes is None else joint(prior, categorical(classes)), classes is not None)
    game = gan(generator, critic, loss, prior=prior, classes=classes, field=field)
    game = lazily(game, players, r1(gamma), name="r1", every=every[0], field=field)
    paths = path_length(players.prior, path_weight)
    game = lazily(game, players, paths, name="path", every=every[1], network="generator", field=field)

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        settings = {"truncation": latents[_TRUNCATION][:, None]} if _TRUNCATION in latents else {}
        return view("generator", *players.prior.inputs(latents), **settings)

    def standing(view: View, key: Array) -> Mapping[str, Variables]:
        """The mean of w under the view's own parameters: training kept that of others, which are not averaged."""
        found = dict(players.standing(view, key)["generator"])
        w = view("generator", *players.prior.inputs(players.prior.draw(key, _MEAN_OF)), method="styles")[:, 0]
        mean = jax.tree.map(lambda _: jnp.mean(w, 0), view.variables["generator"].get("average", {}))
        return {"generator": {**found, **({"average": mean} if mean else {})}}

    return dataclasses.replace(
        game,
        name="StyleGAN2",
        memory=lambda key, batch: {"path_length": jnp.zeros(())},
        latents=Latents(
            players.latents,
            decode,
            standing=standing,
            truncated=lambda latents, shares: {**latents, _TRUNCATION: shares},
        ),
    )


def path_length(prior: Prior, weight: Weight) -> Regularizer:
    """For the generator, on half as many latents as the batch has: `penalties.path_length`, its mean in memory."""

    def term(game: Game, key: Array) -> tuple[Array, Aux]:
        view, keys = game.view, jax.random.split(key, 4)
        inputs = prior.inputs(prior.draw(keys[0], max(1, game.real.shape[0] // 2)))
        # What these passes move, such as the mean of w, is thrown away: the generator's own phase moves it.
        styles, _ = view.train("generator", *inputs, key=keys[1], hold=STILL, method="styles")

        def synthesize(styles: Array) -> Array:
            return view.train("generator", styles, key=keys[2], hold=STILL, method="synthesis")[0]

        penalty, mean = penalties.path_length(synthesize, styles, keys[3], view.memory["path_length"])
        return view.weight(weight) * penalty, Aux({"length": mean}, memory={"path_length": mean})

    return term
