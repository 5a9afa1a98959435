"""What a user sees of a GAN is drawn with the batch statistics of its averaged weights."""

import functools

import numpy as np
import pytest
from PIL import Image

from jaxgen.commands import sample
from jaxgen.quality.classifier import Settings, classifier

TWO_TONES = '''"""Dark and light squares, and a generator whose tone is the sign of z."""
import dataclasses
import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
from jaxgen.core import Net
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.experiment import Experiment
from jaxgen.fields import SIGNED
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.training.schedule import Schedule

@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 1

class Tone(nn.Module):
    @nn.compact
    def __call__(self, z, *, train):
        scale = self.param("scale", nn.initializers.constant(5.0), ())
        z = nn.BatchNorm(not train, momentum=0.9, use_bias=False, use_scale=False)(scale * z)
        return jnp.tanh(z)[:, :, None, None] * jnp.ones((1, 8, 8, 1))

class Critic(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(1)(x.mean((1, 2)))[:, 0]

def experiment(config):
    def load(split, seed):
        x = np.random.default_rng(seed).normal(size=(512, 1, 1, 1))
        images = (np.tanh(x) * np.ones((1, 8, 8, 1))).astype(np.float32)
        examples = {"image": images, "label": (x[:, 0, 0, 0] > 0).astype(np.int64)}
        describe, declare = lambda: {k: v[:1] for k, v in examples.items()}, lambda: {"image": SIGNED}
        return Source("tones", split, describe, lambda: Memory(examples), declare)
    still = optax.sgd(0.0)
    return Experiment(
        method=gan(Net(Tone(), still), Net(Critic(), still), adversarial.hinge, prior=normal(1)),
        data=Dataset(load("train", 0), load("test", 1)),
        schedule=Schedule(config.steps), batch_size=32, seed=0,
    )
'''


@pytest.mark.slow
def test_pictures_and_classes_of_a_gan_are_those_of_its_standing_statistics(jaxgen, tmp_path, monkeypatch):
    """A single step leaves running averages of which z comes out three times too large."""
    small = Settings(width=4, features=4, steps=60, images_per_step=64, learning_rate=1e-2)
    monkeypatch.setattr(sample, "classifier", functools.partial(classifier, settings=small))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "tones.py").write_text(TWO_TONES)
    folder, out = tmp_path / "run", tmp_path / "samples.npz"
    assert jaxgen("train", tmp_path / "tones.py", "--run-dir", folder) == 0
    cells = 34 + 66 * np.arange(8)  # the middle of each square
    picture = np.asarray(Image.open(folder / "samples" / "step_0000001.png").convert("L"))[np.ix_(cells, cells)]
    drawn = np.abs(picture / 127.5 - 1)
    assert drawn.mean() == pytest.approx(np.abs(np.tanh(np.random.default_rng(0).normal(size=10_000))).mean(), abs=0.1)
    assert jaxgen("sample", folder, "--count", 5, "--arithmetic", "0-0+1", "--out", out) == 0
    tones = np.load(out)["samples"].mean((1, 2, 3))
    half = np.sqrt(2 / np.pi)  # the mean of a half normal distribution
    np.testing.assert_allclose(tones, np.tanh(half * np.array([-1, -0.5, 0, 0.5, 1])), atol=0.06)
