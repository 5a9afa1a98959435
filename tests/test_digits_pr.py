"""The digits' posterior-regularization experiments: what they show, in a fraction of their steps."""

import itertools

import jax
import numpy as np
import pytest

from jaxgen.data.embedded import digits
from jaxgen.data.transforms import signed_unit
from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find
from jaxgen.training.evaluate import sampler
from jaxgen.training.sharding import make_mesh, shardings_of

MESH = make_mesh(devices=jax.devices()[:1])


@pytest.mark.slow
def test_steering_by_ink_moves_the_samples_to_the_target():
    file = ExperimentFile.load(find("pr_vae"))
    experiment = file.build(file.config(constraint="ink", alpha=0.3, steps=200))
    trainer = experiment.trainer(MESH)
    state, call, batches = trainer.init(), trainer.program(0), trainer.batches(0)
    for batch in itertools.islice(batches, 20):
        state, _ = call(state, batch, trainer.run_key)
    batches.close()
    samples = np.asarray(sampler(experiment.method, MESH, shardings_of(state), 500)(state, jax.random.key(0)))
    # The digits, and samples of the plain VAE, have 0.31.
    assert (samples.mean() + 1) / 2 == pytest.approx(0.4, abs=0.02)


def test_the_constraints_say_what_they_claim():
    module = ExperimentFile.load(find("pr_vae")).module
    held_out = digits().map(signed_unit(17)).test
    examples = held_out[np.arange(len(held_out))]
    images = examples["image"]
    says_even = np.asarray(module.even(images)) > np.log(0.5)
    assert np.mean(says_even == (examples["label"] % 2 == 0)) > 0.95
    mirrored = np.concatenate([images[:, :, :4], images[:, :, 3::-1]], 2)
    np.testing.assert_allclose(module.symmetric(mirrored), np.zeros(len(images)), atol=1e-6)
    level = np.full((1, 8, 8, 1), 2 * 0.37 - 1)
    np.testing.assert_allclose(module.ink(level, target=0.4), -9.0, rtol=1e-4)  # three hundredths short


def test_the_examples_are_heavy_even_training_digits_and_as_many_as_asked_for():
    file = ExperimentFile.load(find("pr_learned"))
    source = file.build(file.config(examples=30)).data.train
    shown = source[np.arange(len(source))]["example"]
    assert len(np.unique(shown, axis=0)) == 30
    assert np.all((shown + 1).mean((1, 2, 3)) / 2 >= 0.34)
    everything = digits().map(signed_unit(17)).train
    examples = everything[np.arange(len(everything))]
    even = {image.tobytes() for image in examples["image"][examples["label"] % 2 == 0]}
    assert all(image.tobytes() in even for image in shown)
    level = np.stack([np.full((8, 8, 1), 2 * ink - 1) for ink in (0.3, 0.5)])
    np.testing.assert_allclose(file.module.heavy(level, target=0.34), [-16, 0], rtol=1e-3)
