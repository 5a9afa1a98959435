"""What the VAEs of `vae_sweep` differ in, and what its pictures show of that."""

import jax
import numpy as np
import pytest

from jaxgen.core import view_of
from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find
from jaxgen.training.sharding import make_mesh


def test_one_setting_differs_and_no_other():
    file = ExperimentFile.load(find("vae_sweep"))
    sizes = file.module.variants(file.config(vary="latent_size"))
    assert [(config.latent_size, beta) for config, beta in sizes.values()] == [(2, 1), (5, 1), (10, 1), (20, 1)]
    betas = file.module.variants(file.config(vary="beta"))
    assert [(config.latent_size, beta) for config, beta in betas.values()] == [(16, 0.02), (16, 1), (16, 20)]


def test_pictures_are_measured_by_the_examples_variety():
    """Planted ones: examples given back, samples that are all one, and noise a tenth as wide about the mean."""
    module = ExperimentFile.load(find("vae_sweep")).module
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(8, 5, 5, 1))
    faint = examples.mean(0) + 0.1 * (examples - examples.mean(0))
    found = {"examples": examples, "a": np.concatenate([examples, 0 * examples]), "b": np.concatenate([faint, faint])}
    numbers = module.rows({"a": None, "b": None}, None).numbers(found)
    expected = {"a.again_apart": 0, "a.again_varied": 1, "a.samples_varied": 0}
    expected |= {"b.again_apart": 0.81, "b.again_varied": 0.01, "b.samples_varied": 0.01}
    assert numbers == pytest.approx(expected)


def shown(trained, **settings):
    """The figures of a short training, and the numbers of its pictures."""
    experiment, state = trained("vae_sweep", **settings)
    mesh = make_mesh(devices=jax.devices()[:1])
    drawing = experiment.drawings["rows"]
    found = jax.jit(lambda s: drawing.compute(view_of(experiment.method, s).averaged()))(state)
    figures = experiment.evaluate(state, mesh)["figures"]
    return {name: figure["mean"] for name, figure in figures.items()} | drawing.numbers(jax.device_get(found))


@pytest.mark.slow
@pytest.mark.optimized
def test_too_little_of_the_divergence_fills_the_code_and_too_much_empties_it(trained):
    of = shown(trained, vary="beta", steps=1000)
    assert of["beta 0.02.kl_nats"] > 20 > of["beta 1.kl_nats"] > 5
    assert of["beta 20.kl_nats"] < 0.1
    assert of["beta 1.bits_per_dim"] < min(of["beta 0.02.bits_per_dim"], of["beta 20.bits_per_dim"])
    assert of["beta 0.02.again_apart"] < of["beta 1.again_apart"] < of["beta 20.again_apart"]
    assert of["beta 20.again_varied"] < 0.05  # every image is the mean of all
    assert of["beta 20.samples_varied"] < 0.05 < 0.3 < of["beta 1.samples_varied"]


@pytest.mark.slow
@pytest.mark.optimized
def test_more_latents_give_sharper_images_up_to_what_the_data_pay_for(trained):
    of = shown(trained, vary="latent_size", steps=1000)
    assert of["2 latents.bits_per_dim"] > of["5 latents.bits_per_dim"] > of["10 latents.bits_per_dim"]
    assert abs(of["10 latents.bits_per_dim"] - of["20 latents.bits_per_dim"]) < 0.03
    assert of["2 latents.again_apart"] > of["5 latents.again_apart"] > of["10 latents.again_apart"]
