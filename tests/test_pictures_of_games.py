"""What the pictures beside games measure, held against planted answers: slant, attention, styles, codes, growth."""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import Latents, Method, view_of
from jaxgen.experiment import ExperimentFile
from jaxgen.layers.attention import SelfAttention
from jaxgen.methods.adversarial.priors import normal
from jaxgen.report.figure import save_figure
from jaxgen.shipped import find
from jaxgen.training.sharding import make_mesh


def module_beside(experiment, name):
    """A module of its own that an experiment imports."""
    ExperimentFile.load(find(experiment))
    return sys.modules[name]


def painter(paint):
    """A method without networks whose samples are `paint(latents)`, z being two numbers."""
    latents = Latents(
        lambda key, count, batch: {"z": jax.random.normal(key, (count, 2))}, lambda view, z, key: paint(z["z"])
    )
    return Method("painter", {}, (), lambda *_: {}, latents, lambda *_: {})


def strokes(lean):
    """Straight strokes through the middle that lean so many columns a row, `[batch, 15, 15, 1]`, antialiased."""
    rows, columns = jnp.arange(15.0)[:, None] - 7, jnp.arange(15.0)[None] - 7
    ink = jnp.maximum(1 - jnp.abs(columns + lean[:, None, None] * rows), 0)
    return (2 * ink - 1)[..., None]


def test_the_slant_of_a_stroke_is_how_far_it_leans():
    lean = jnp.array([-0.8, -0.25, 0.0, 0.5])
    found = module_beside("dcgan", "turned").slant(strokes(lean))
    for image, slant in zip(np.asarray(strokes(lean)), found, strict=True):
        weights = (image[..., 0] + 1) / 2
        rows, columns = np.mgrid[:15, :15]
        line = np.polyfit(rows.ravel(), columns.ravel(), 1, w=np.sqrt(weights.ravel()))
        assert slant == pytest.approx(-line[0], abs=1e-4)
    np.testing.assert_allclose(found, lean, atol=0.02)


def test_a_latent_that_leans_is_found_and_another_does_not_lean(tmp_path):
    drawing = module_beside("dcgan", "turned").turned_drawing(painter(lambda z: strokes(0.2 * z[:, 0])))
    found = jax.device_get(jax.jit(drawing.compute)(None))
    numbers = drawing.numbers(found)
    # The mean of the upper tenth of a normal distribution is 1.755, and so both are 3.51 apart.
    assert numbers["turned"] == pytest.approx(2 * 0.2 * 3.51, rel=0.1)
    assert numbers["turned_least_step"] > 0
    neutral = drawing.numbers({**found, "slant": found["slant_random"], "slant_random": found["slant"]})["turned"]
    assert abs(neutral) == pytest.approx(numbers["turned_at_random"])
    assert abs(neutral) < numbers["turned"]
    save_figure(tmp_path / "drawing.png", drawing.draw(found))


def test_kept_queries_and_keys_give_what_attention_adds():
    maps = module_beside("sagan", "attention_maps")
    layer, x = SelfAttention(), jax.random.normal(jax.random.key(0), (2, 4, 4, 16))
    params = {**layer.init(jax.random.key(1), x)["params"], "gamma": jnp.asarray(0.7)}

    @jax.jit
    def attended(x):
        kept = {}
        with maps.kept_by(kept):
            return layer.apply({"params": params}, x), kept

    y, kept = attended(x)

    def pooled(a):
        return np.asarray(a).reshape(2, 2, 2, 2, 2, -1).max((2, 4)).reshape(2, 4, -1)

    logits = np.einsum("bqc,bkc->bqk", np.asarray(kept["query"]).reshape(2, 16, -1), pooled(kept["key"]))
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    value, output = (np.asarray(params[name]["kernel"])[0, 0] for name in ("value", "output"))
    added = (weights @ pooled(np.asarray(x) @ value) @ output).reshape(x.shape)
    np.testing.assert_allclose(y - x, float(kept["gamma"]) * added, atol=1e-4)


def test_attention_that_is_even_looks_everywhere_and_one_place_is_one(tmp_path):
    drawing = module_beside("sagan", "attention_maps").attention_drawing(painter(None))
    images = np.full((64, 32, 32, 1), -1.0)
    images[:, :16] = 1.0  # the upper half is ink
    even, one = np.full((64, 256, 64), 1 / 64), np.zeros((64, 256, 64))
    one[..., 5] = 1.0  # a place of the upper half
    numbers = [drawing.numbers({"images": images, "weights": w, "gamma": np.array(-0.3)}) for w in (even, one)]
    assert numbers[0] == pytest.approx(
        {"attention_places": 1, "attention_gamma": 0.3, "attention_on_ink": 0.5, "share_of_ink": 0.5}
    )
    assert numbers[1]["attention_places"] == pytest.approx(1 / 64)
    assert numbers[1]["attention_on_ink"] == 1
    save_figure(tmp_path / "drawing.png", drawing.draw({"images": images, "weights": even}))


def test_mixed_images_are_held_against_both_sources(tmp_path):
    drawing = module_beside("stylegan2", "mixed_styles").mixing_drawing(None)
    rng = np.random.default_rng(0)
    coarse, fine = rng.normal(size=(2, 200, 8, 8, 1))
    numbers = drawing.numbers({"coarse": coarse, "fine": fine, "mixed": 0.8 * coarse + 0.6 * fine + 3})
    assert numbers["mixed_like_coarse"] == pytest.approx(0.8, abs=0.02)
    assert numbers["mixed_like_fine"] == pytest.approx(0.6, abs=0.02)
    assert numbers["mixed_like_others"] == pytest.approx(0, abs=0.03)
    save_figure(tmp_path / "drawing.png", drawing.draw({"table": rng.uniform(-1, 1, (7, 7, 8, 8, 1))}))


@dataclasses.dataclass(frozen=True)
class Reader:
    """A view whose critic reads the category and the first number of a painted code, and of the second nothing."""

    def __call__(self, name, images):
        category, first = images[:, 0, 0, 0], images[:, 0, 1, 0]
        heads = {"category": jax.nn.one_hot(jnp.round(category).astype(int), 3)}
        heads |= {"first": jnp.stack([first, first], 1), "second": jnp.stack([images[:, 1, 1, 0]] * 2, 1)}
        return category, heads


def test_codes_that_are_painted_are_read(tmp_path):
    def prior(key, count, batch):
        return {"z": jax.random.normal(key, (count, 2)), "category": jnp.zeros(count, int)} | {
            name: jnp.zeros((count, 1)) for name in ("first", "second")
        }

    def paint(view, z, key):
        first = jax.scipy.special.ndtr(z["first"][:, 0])
        pixels = [z["category"].astype(jnp.float32), first, first, z["z"][:, 0]]
        return jnp.stack(pixels, 1).reshape(-1, 2, 2, 1)

    method = dataclasses.replace(painter(None), latents=Latents(prior, paint))
    drawing = module_beside("infogan", "codes").codes_drawing(method, 3, ("first", "second"))
    found = jax.device_get(jax.jit(lambda: drawing.compute(Reader()))())
    numbers = drawing.numbers(found)
    assert numbers["read_category"] == 1
    assert numbers["read_first"] == pytest.approx(1)
    assert abs(numbers["read_second"]) < 0.1  # of the noise
    save_figure(tmp_path / "drawing.png", drawing.draw({name: found[name] for name in found}))


class Painted:
    """A view whose images are their styles: the coarse layers' above, the finer ones' below."""

    def __call__(self, name, x, method):
        return jnp.repeat(x[:, None], 6, 1) if method == "styles" else x[..., None]


def test_a_mixed_image_has_the_coarse_layers_of_its_row_and_the_fine_ones_of_its_column():
    mixed = module_beside("stylegan2", "mixed_styles")
    drawing, above = mixed.mixing_drawing(normal(4)), mixed.COARSE
    found = jax.jit(lambda: drawing.compute(Painted()))()
    np.testing.assert_array_equal(found["mixed"][:, :above], found["coarse"][:, :above])
    np.testing.assert_array_equal(found["mixed"][:, above:], found["fine"][:, above:])
    np.testing.assert_array_equal(found["table"][1:, 0], found["coarse"][:6])
    np.testing.assert_array_equal(found["table"][0, 1:], found["fine"][:6])
    np.testing.assert_array_equal(found["table"][2, 3, :above], found["coarse"][1, :above])
    np.testing.assert_array_equal(found["table"][2, 3, above:], found["fine"][2, above:])


def test_growth_is_held_to_blocks_of_four_pixels_and_to_a_straight_line(tmp_path):
    growth = module_beside("progan", "growth")
    rng = np.random.default_rng(0)
    fine = rng.uniform(-1, 1, (5, 8, 8, 3))
    coarse = np.kron(fine[:, ::2, ::2], np.ones((1, 2, 2, 1)))
    images = np.stack([(1 - alpha) * coarse + alpha * fine for alpha in growth.ALPHAS])
    images[2, 1, 3, 3, 2] += 0.25
    scores = rng.normal(size=5)
    found = {"images": images, "fine": np.stack([scores + alpha for alpha in growth.ALPHAS]), "coarse": [scores] * 5}
    numbers = growth.numbers({name: np.asarray(array) for name, array in found.items()})
    blocks = fine.reshape(5, 4, 2, 4, 2, 3).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 4)
    assert numbers == pytest.approx(
        {
            "within_four_pixels_before": 0,
            "within_four_pixels_after": (blocks.max(1) - blocks.min(1)).max(),
            "off_the_line": 0.25,
            "critic_hears_detail_before": 0,
            "critic_hears_detail_after": 1,
        }
    )
    save_figure(tmp_path / "drawing.png", growth.draw(found))


@pytest.mark.slow
def test_what_fades_in_is_mixed_pixel_by_pixel():
    file = ExperimentFile.load(find("progan"))
    experiment = file.build(file.config(width=8, latent_size=4, batch_size=2))
    state = experiment.trainers(make_mesh(devices=jax.devices()[:1]))[-1].init()
    drawing, view = experiment.drawings["growth"], view_of(experiment.method, state)
    found = jax.device_get(jax.jit(lambda: drawing.compute(view))())
    before, half, after = found["images"][[0, 2, 4]].astype(np.float64)
    np.testing.assert_array_equal(before, np.kron(before[:, ::2, ::2], np.ones((1, 2, 2, 1))))
    np.testing.assert_allclose(half, (before + after) / 2, atol=1e-6)
    assert np.abs(after - np.kron(after[:, ::2, ::2], np.ones((1, 2, 2, 1)))).max() > 0.05
    np.testing.assert_allclose(found["fine"][0], found["coarse"][0], atol=1e-5)
    assert np.abs(found["fine"][-1] - found["coarse"][-1]).max() > 1e-3
