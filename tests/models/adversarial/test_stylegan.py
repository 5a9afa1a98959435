"""StyleGAN's parts: the mean of w and truncation, mixed styles, noise, and the published numbers of parameters."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models.adversarial.stylegan import AdaptiveLayer, Discriminator, Generator, Mapping

KEY = jax.random.key(0)
FEATURES = (8, 6)
MAPPING = Mapping(16, layers=2)
GENERATOR = Generator(FEATURES, mapping=MAPPING, mixing=1.0)
Z = jax.random.normal(KEY, (6, 16))


@pytest.fixture(scope="module")
def variables():
    return initial(GENERATOR, Z, train=True)


def initial(module, *inputs, **settings):
    return jax.jit(functools.partial(module.init, **settings))(KEY, *inputs)


def parameters(module, *inputs, **settings):
    shapes = jax.eval_shape(functools.partial(module.init, **settings), KEY, *inputs)["params"]
    return sum(math.prod(x.shape) for x in jax.tree.leaves(shapes))


def test_configuration_f_at_1024_pixels_has_the_published_number_of_parameters():
    features = (512,) * 5 + (256, 128, 64, 32)
    z, images = jax.ShapeDtypeStruct((4, 512), jnp.float32), jax.ShapeDtypeStruct((4, 1024, 1024, 3), jnp.float32)
    assert parameters(Generator(features, channels=3), z, train=True) == 30_370_060
    assert parameters(Discriminator(features), images) == 29_012_513


@pytest.mark.slow
def test_the_mean_of_w_is_its_mean_and_mixed_styles_do_not_move_it():
    mapping = Mapping(16, layers=2, decay=0.99)
    generator = Generator((4,), mapping=mapping, mixing=1.0)
    variables = initial(generator, Z, train=True)

    def track(average, key):
        z = jax.random.normal(key, (64, 16))
        state = {**variables, "average": average}
        settings = {"train": True, "rngs": {"mixing": key}, "mutable": ["average"], "method": "styles"}
        return generator.apply(state, z, **settings)[1]["average"], None

    keys = jax.random.split(jax.random.key(1), 2000)
    average, _ = jax.jit(lambda average: jax.lax.scan(track, average, keys))(variables["average"])
    z = jax.random.normal(jax.random.key(2), (100_000, 16))
    w = generator.apply(variables, z, train=False, method="styles")[:, 0]
    # About 64 * 2 / (1 - 0.99) examples count, and 100,000 on the other side.
    error = np.asarray(w.std(0)) * np.sqrt(1 / 12_800 + 1 / 100_000)
    assert (np.abs(average["mapping"]["w"] - w.mean(0)) < 4 * error).all()
    settings = {"train": True, "mutable": ["average"], "method": "styles"}
    without = generator.apply(variables, Z, **settings)[1]
    mixed = generator.apply(variables, Z, rngs={"mixing": KEY}, **settings)[1]
    np.testing.assert_allclose(mixed["average"]["mapping"]["w"], without["average"]["mapping"]["w"], atol=1e-7)


@pytest.mark.slow
def test_truncation_is_the_identity_at_one_and_one_image_at_zero(variables):
    state = {**variables, "average": {"mapping": {"w": jnp.arange(16.0) / 8}}}
    generate = jax.jit(lambda psi: GENERATOR.apply(state, Z, train=False, truncation=psi))
    np.testing.assert_allclose(generate(1.0), jax.jit(lambda: GENERATOR.apply(variables, Z, train=False))(), atol=1e-5)
    same = np.asarray(generate(0.0))
    np.testing.assert_allclose(same, same[:1].repeat(6, 0), atol=1e-5)
    mean = jnp.broadcast_to(state["average"]["mapping"]["w"], (6, 4, 16))
    np.testing.assert_allclose(same, GENERATOR.apply(state, mean, method="synthesis"), atol=1e-4)
    spread = [float(generate(psi).std(0).mean()) for psi in (0.0, 0.3, 0.7, 1.0)]
    assert spread == sorted(spread)


def test_styles_are_mixed_from_a_layer_on_each_as_likely_as_another(variables):
    z = jnp.repeat(Z[:1], 3000, 0)
    mixed = GENERATOR.apply(variables, z, train=True, rngs={"mixing": KEY}, method="styles")
    own = GENERATOR.apply(variables, z, train=True, method="styles")
    same = np.asarray((jnp.abs(mixed - own) < 1e-6).all(-1))
    assert same[:, 0].all()
    assert (np.diff(same.astype(int), axis=1) <= 0).all()  # once another's, always another's
    counts = np.bincount(same.sum(1), minlength=5)[1:]
    assert counts[3] == 0  # mixing=1: always
    np.testing.assert_allclose(counts[:3] / 3000, 1 / 3, atol=4 * np.sqrt(2 / 9 / 3000))
    half = Generator(FEATURES, mapping=MAPPING, mixing=0.5)
    mixed = half.apply(variables, z, train=True, rngs={"mixing": KEY}, method="styles")
    assert abs(float((jnp.abs(mixed - own) < 1e-6).all((1, 2)).mean()) - 0.5) < 4 * 0.5 / np.sqrt(3000)


def test_a_layer_s_style_changes_that_layer_s_size_and_what_is_finer(variables):
    styles = GENERATOR.apply(variables, Z[:1], train=False, method="styles")
    synthesis = jax.jit(lambda s: GENERATOR.apply(variables, s, method="synthesis"))
    other = styles[:, :1] + 1.0
    last = synthesis(styles.at[:, 3:].set(other)) - synthesis(styles)  # the style of the last image alone
    first = synthesis(styles.at[:, :1].set(other)) - synthesis(styles)
    assert np.abs(last).max() > 1e-3
    assert np.abs(first).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [GENERATOR, Generator(FEATURES, mapping=MAPPING, layer=AdaptiveLayer, skip=False)],
    ids=["skip, modulated", "plain, adaptive"],
)
def test_noise_has_no_part_until_it_is_learned_and_differs_by_example_then(module):
    variables = initial(module, Z, train=True)
    same = jnp.repeat(Z[:1], 2, 0)

    @jax.jit
    def generate(params, key):
        return module.apply({**variables, "params": params}, same, train=True, rngs={"noise": key})

    quiet = generate(variables["params"], KEY)
    np.testing.assert_array_equal(quiet, generate(variables["params"], jax.random.key(1)))
    strong = jax.tree_util.tree_map_with_path(
        lambda path, x: x + 1.0 if path[-1].key == "strength" else x, variables["params"]
    )
    noisy = generate(strong, KEY)
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-2
    fixed = module.apply({**variables, "params": strong}, same, train=False)
    np.testing.assert_allclose(fixed[0], fixed[1], atol=1e-5)
    assert quiet.shape == (2, 8, 8, 1)


@pytest.mark.slow
def test_labels_reach_the_image_and_the_logit():
    labels = jnp.arange(6) % 3
    generator = Generator(FEATURES, mapping=Mapping(16, layers=2, classes=3))
    variables = initial(generator, Z, labels, train=True)
    image = jax.jit(lambda labels: generator.apply(variables, Z, labels, train=False))
    assert np.abs(image(labels) - image((labels + 1) % 3)).max() > 1e-2
    critic = Discriminator(FEATURES, classes=3)
    params = initial(critic, image(labels), labels)
    judged = jax.jit(functools.partial(critic.apply, params, image(labels)))
    assert np.abs(judged(labels) - judged((labels + 1) % 3)).min() > 1e-4
