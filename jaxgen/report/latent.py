"""Pictures of a variational autoencoder's latent space: its plane, what each dimension carries, where classes lie."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri

from jaxgen.core import Array, Drawing, Method, View
from jaxgen.errors import UserError
from jaxgen.report.figure import new_figure
from jaxgen.report.grid import grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Examples = Callable[[], Mapping[str, Any]]  # held-out examples `[n, ...]`, looked up when a picture is drawn
IN_USE = 0.1  # nats that a latent dimension carries; posteriors of those that carry nothing wander by hundredths


def manifold_drawing(method: Method, *, cells: int = 20) -> Drawing:
    """What a plane of latents decodes to, at the middles of cells of equal prior mass: Kingma and Welling 2014, fig. 4.

    Args:
      method: whose latents are `[count, 2]`, standard normal.
      cells: along either axis.

    Raises:
      UserError: the latents are others.
    """
    latents = method.latents
    drawn = None if latents is None else jax.eval_shape(lambda: latents.prior(jax.random.key(0), 1, None))
    if latents is None or getattr(drawn, "shape", None) != (1, 2):
        raise UserError(
            f"a manifold is drawn of two latent dimensions, which {method.name} has not; set latent_size 2."
        )

    def compute(view: View) -> Array:
        quantiles = ndtri((jnp.arange(cells) + 0.5) / cells)
        z = jnp.stack(jnp.meshgrid(quantiles, -quantiles), -1).reshape(-1, 2)  # upwards, as a plot's axis
        return latents.decode(view, z, jax.random.key(0))

    def draw(images: np.ndarray) -> "Figure":
        figure = new_figure(6, 6)
        axes = figure.add_subplot()
        axes.imshow(grid(images, columns=cells, padding=0, scale=1))
        axes.set_axis_off()
        return figure

    return Drawing(compute, draw)


def kl_drawing(examples: Examples, encode: Callable[[View, Mapping[str, Any]], tuple[Array, Array]]) -> Drawing:
    """The mean divergence of each latent dimension from a standard normal, largest first: which are in use.

    Args:
      examples: held-out ones.
      encode: `(view, batch) -> (mean, log_variance)`, `[batch, latent]` each, such as
        `lambda view, batch: view("encoder", batch["image"])`.
    """

    def compute(view: View) -> Array:
        mean, log_variance = encode(view, examples())
        return jnp.mean(jnp.square(mean) + jnp.expm1(log_variance) - log_variance, 0) / 2

    def draw(kl: np.ndarray) -> "Figure":
        figure = new_figure(6, 3)
        axes = figure.add_subplot()
        axes.bar(np.arange(1, len(kl) + 1), np.sort(kl)[::-1])
        axes.set_xticks(np.arange(1, len(kl) + 1, max(1, len(kl) // 8)))
        axes.set_xlabel("latent dimension, by what it carries")
        axes.set_ylabel("KL, nats")
        axes.set_title(
            f"{np.sum(kl):.1f} nats in all, {np.sum(kl > IN_USE)} of {len(kl)} dimensions above {IN_USE}", fontsize=9
        )
        return figure

    return Drawing(compute, draw, lambda kl: {"dimensions_in_use": float(np.sum(kl > IN_USE))})


def classes_drawing(method: Method, examples: Examples, names: Sequence[str] = ()) -> Drawing:
    """Latents by class, on their two largest principal axes, and how well a linear probe tells the classes apart.

    Half of each class teaches the probe, the other half is its test. There is none where that leaves a class out.

    Args:
      method: that encodes to `[count, latent]`.
      examples: held-out ones, with an integer `label`, -1 being none.
      names: of the classes, for the legend; their numbers where there are none.

    Raises:
      UserError: the method does not encode.
    """
    if method.latents is None or method.latents.encode is None:
        raise UserError(f"latents by class need a map from data to them, which {method.name} has not.")
    encode = method.latents.encode

    def compute(view: View) -> dict[str, Array]:
        batch = examples()
        return {"z": encode(view, batch), "label": jnp.asarray(batch["label"])}

    def draw(found: dict[str, np.ndarray]) -> "Figure":
        z, label = np.asarray(found["z"], np.float64), np.asarray(found["label"])
        figure = new_figure(5, 5)
        axes = figure.add_subplot()
        points = axes.scatter(*principal_axes(z).T, c=label, s=4, cmap="tab10")
        handles, labels = points.legend_elements(num=None)
        texts = [str(number) for number in labels]
        if names:
            texts = [names[int(number)] if number >= 0 else "none" for number in np.unique(label)]
        axes.legend(handles, texts, fontsize=7, title="class", title_fontsize=7)
        accuracy = probe_accuracy(z, label)
        if accuracy is None:
            said = "no linear probe: it takes two classes or more, with two examples each"
        else:
            said = f"a linear probe is right on {accuracy:.1%} of {np.sum(label >= 0) // 2}"
        axes.set_title(said, fontsize=9)
        return figure

    def numbers(found: dict[str, np.ndarray]) -> dict[str, float]:
        accuracy = probe_accuracy(np.asarray(found["z"], np.float64), np.asarray(found["label"]))
        return {} if accuracy is None else {"probe_accuracy": accuracy}

    return Drawing(compute, draw, numbers)


def principal_axes(z: np.ndarray) -> np.ndarray:
    """The two largest principal components, `[n, 2]`; of a plane itself."""
    if z.shape[1] <= 2:
        return np.pad(z, ((0, 0), (0, 2 - z.shape[1])))
    centred = z - z.mean(0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T


def probe_accuracy(z: np.ndarray, label: np.ndarray) -> float | None:
    """Share of one half that a logistic regression on the other classifies rightly, every class being halved.

    Args:
      z: `[n, latent]`.
      label: `[n]`, -1 where an example has none.

    Returns:
      The share; None where there are fewer than two classes, or one has a single example.
    """
    from sklearn.linear_model import LogisticRegression

    classes, counts = np.unique(label[label >= 0], return_counts=True)
    if len(classes) < 2 or min(counts) < 2:
        return None
    order = np.random.RandomState(0).permutation(np.flatnonzero(label >= 0))  # NumPy has frozen this stream
    order = order[np.argsort(label[order], kind="stable")]  # every second one is thus half of each class
    taught, judged = order[::2], order[1::2]
    scale = z[taught].std(0) + 1e-12
    probe = LogisticRegression(max_iter=500).fit(z[taught] / scale, label[taught])
    return float(probe.score(z[judged] / scale, label[judged]))
