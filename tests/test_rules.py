"""The experiments with rules about labels: what the rules say, who sees which labels, and that they teach."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find
from jaxgen.training.sharding import make_mesh

DATA = os.path.join(os.path.expanduser(os.environ.get("TFDS_DATA_DIR", "absent")), "mnist")


@pytest.fixture
def figures(trained):
    """Means of the held-out figures after training."""

    def means(name, **settings):
        experiment, state = trained(name, **settings)
        evaluated = experiment.evaluate(state, make_mesh(devices=jax.devices()[:1]))
        return {name: figure["mean"] for name, figure in evaluated["figures"].items()}

    return means


def test_the_tagging_rules_hold_of_all_right_tags_and_of_no_broken_ones():
    file = ExperimentFile.load(find("tagging_rules"))
    held_out = file.build(file.config()).data.test
    batch = held_out[np.arange(len(held_out))]
    words, labels = batch["word"], batch["label"]
    between = np.array(file.module.transitions())
    single = np.array(file.module.single_tags(lambda x: x, {"word": jnp.array(words)})[0])
    there = labels >= 0
    assert np.take_along_axis(single, np.maximum(labels, 0)[..., None, None], axis=2)[:, :, 0][there].all()
    pairs = there[:, 1:]
    assert between[labels[:, :-1][pairs], labels[:, 1:][pairs]].all()
    # O, B and I of one type, B and I of another: what may follow what.
    expected = [
        [1, 1, 0, 1, 0],
        [1, 0, 1, 0, 0],
        [1, 0, 1, 0, 0],
        [1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1],
    ]
    np.testing.assert_array_equal(between.all(-1)[:5, :5], expected)
    assert not single[:, 0, [2, 4, 6]].all(-1).any()  # I never begins a sentence
    assert (single.all(-1)[:, :, 0] == (words < words[labels > 0].min())).all()  # O, only of what is no name


@pytest.mark.slow
def test_rules_teach_the_tagger_and_its_teacher(figures):
    """Over seeds 0 to 4 and all 800 steps, the student's F1 exceeds the twin's by 0.11 to 0.20."""
    got = figures("tagging_rules", steps=200)
    assert got["student_f1"] > got["twin_f1"] + 0.05
    assert got["teacher_f1"] > got["student_f1"]
    assert got["teacher_illegal"] == 0 < got["student_illegal"]


def test_few_labels_are_balanced_repeated_and_the_right_ones():
    module = ExperimentFile.load(find("parity_rule")).module
    rng = np.random.default_rng(0)
    label = rng.integers(0, 10, 1400).astype(np.int32)
    examples = {"image": np.arange(1400), "label": label, "even": label % 2 == 0}
    got, other = (module.few_labels(examples, count=20, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(got["image"][:1400], np.arange(1400))
    seen = got["label"] >= 0
    np.testing.assert_array_equal(seen, np.arange(1600) >= 1400)
    np.testing.assert_array_equal(got["label"][seen], label[got["image"][seen]])
    np.testing.assert_array_equal(got["even"], label[got["image"]] % 2 == 0)
    shown = np.unique(got["image"][seen])
    np.testing.assert_array_equal(np.bincount(label[shown]), np.full(10, 2))
    assert set(shown) != set(np.unique(other["image"][seen]))


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not os.path.isdir(DATA), reason="no mnist in TFDS_DATA_DIR")
def test_parity_teaches_the_classifier_more_than_the_labels_say(figures):
    """Right 0.84 and 0.86 times with seeds 0 and 1; without the rule it ends at 0.76, as the nearest label is."""
    assert figures("parity_rule", steps=300)["student_accuracy"] > 0.8
