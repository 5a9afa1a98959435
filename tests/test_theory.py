"""The numbers that the demonstrations of `experiments/theory/` show, from shorter trainings, and their figures."""

import jax
import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy import integrate, linalg, optimize, special, stats
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.svm import SVC

from jaxgen.core import view_of
from jaxgen.experiment import ExperimentFile
from jaxgen.report.figure import save_figure
from jaxgen.shipped import find


@pytest.fixture
def drawing(trained, tmp_path):
    """What an experiment's one drawing shows after training: `(name, **settings) -> arrays`; it is drawn, too."""

    def make(name, **settings):
        experiment, state = trained(name, **settings)
        ((_, drawing),) = experiment.drawings.items()
        arrays = jax.device_get(jax.jit(lambda s: drawing.compute(view_of(experiment.method, s).averaged()))(state))
        save_figure(tmp_path / "drawing.png", drawing.draw(arrays))
        return arrays

    return make


def test_the_xy_game(drawing):
    path = drawing("xy_game")
    radius = np.linalg.norm(path, axis=2) / np.sqrt(2)
    assert radius[-1, 0] == pytest.approx(1.64463, abs=1e-5)
    np.testing.assert_allclose(radius[:, 0], 1.01 ** (np.arange(101) / 2), rtol=1e-5)
    assert radius[-1, 1] == pytest.approx(0.98562, abs=1e-5)  # 1.01566 were y to move first
    # z -> (1 - a^2) z - a J z: the squared modulus is (1 - a^2)^2 + a^2.
    np.testing.assert_allclose(radius[:, 2], (0.99**2 + 0.01) ** (np.arange(101) / 2), rtol=1e-5)
    # A spring to the mean of where a player has been, of which a move along the game's field (y, -x) knows nothing.
    seen = [np.ones(2)]
    for _ in range(100):
        seen.append(seen[-1] - 0.1 * (seen[-1][::-1] * [1, -1] + 0.2 * (seen[-1] - np.mean(seen, axis=0))))
    np.testing.assert_allclose(path[:, 3], seen, atol=1e-5)
    assert radius[-1, 3] == pytest.approx(0.31287, abs=1e-5)


def test_minimax_saturates_and_the_other_does_not(drawing):
    minimax, non_saturating = drawing("saturation", steps=100).T
    assert minimax[-1] > 9.9
    assert abs(non_saturating[-1]) < 0.2


@pytest.mark.slow
def test_smoothed_discriminators_reach_their_optima(drawing):
    x = np.linspace(-4, 4, 161)
    best = 1 / (1 + np.exp(2 * x))  # N(-1, 1) against N(1, 1)
    inside = np.abs(x) < 2
    found = drawing("label_smoothing", steps=1000, learning_rate=3e-3)
    np.testing.assert_allclose(found[:, inside], np.outer([1, 0.9, 0.7], best)[:, inside], atol=0.06)


@pytest.mark.slow
def test_a_discriminator_is_flat_where_samples_are_and_a_critic_is_not(drawing):
    found = drawing("two_gaussians", steps=1000, learning_rate=3e-3)
    x = found["x"]
    samples, between = np.abs(x - 2) < 0.5, np.abs(x) < 2
    assert found["discriminator"][samples].max() < 1e-3
    assert np.abs(found["discriminator_pull"][samples]).max() < 1e-2
    np.testing.assert_allclose(found["critic_pull"][between], -1, atol=0.15)


@pytest.mark.slow
def test_divergences_of_parallel_lines(drawing):
    found = drawing("parallel_lines", steps=1500, learning_rate=3e-3)
    theta = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(found["jensen_shannon"], np.where(theta == 0, 0, np.log(2)), atol=0.06)
    np.testing.assert_allclose(found["wasserstein"], np.abs(theta), atol=0.1)
    of_samples = ExperimentFile.load(find("parallel_lines")).module.of_samples
    estimates = np.array([of_samples(real, fake) for real, fake in zip(found["real"], found["fake"], strict=True)])
    np.testing.assert_allclose(estimates[:, 0], np.where(theta == 0, 0, np.log(2)), atol=1e-3)
    np.testing.assert_allclose(estimates[:, 1], np.abs(theta), atol=0.03)


@pytest.mark.slow
def test_the_game_on_the_line_ends_at_the_data(drawing):
    frames = drawing("gan_1d", steps=2000)
    x = np.linspace(-2, 5, 71)
    mean = (frames[:, 1] * x).sum(1) / frames[:, 1].sum(1)
    std = np.sqrt((frames[:, 1] * (x - mean[:, None]) ** 2).sum(1) / frames[:, 1].sum(1))
    assert abs(mean[0] - 2) > 1
    assert mean[-1] == pytest.approx(2, abs=0.2)
    assert std[-1] == pytest.approx(0.5, abs=0.2)
    np.testing.assert_allclose(frames[-1, 0][np.abs(x - 2) < 0.75], 0.5, atol=0.15)


@pytest.mark.slow
def test_a_reader_reads_what_a_channel_lets_through(drawing):
    flips = np.linspace(0.02, 0.5, 9)
    found = drawing("information_bound", steps=500)
    entropy = -(flips * np.log(flips) + (1 - flips) * np.log(1 - flips))
    np.testing.assert_allclose(found, np.log(2) - entropy, atol=5e-3)
    assert (found <= np.log(2) - entropy + 1e-5).all()


@pytest.mark.slow
def test_an_auxiliary_classifier_draws_classes_apart_and_its_twin_does_not(drawing):
    spread = drawing("acgan_bias").std(-1).mean(-1)  # of data whose classes have 1
    assert spread[0] < 0.85
    assert 0.85 < spread[1] < 1.15


@pytest.mark.slow
def test_variances_of_gradients_are_those_of_quadrature(drawing):
    found = drawing("gradient_variance", steps=300)
    noise, weight = hermegauss(12)  # exact for these polynomials
    weight = weight / weight.sum()
    for theta, of_theta in zip(np.linspace(0, 4, 9), found["variance"].T, strict=True):
        x = theta + noise
        ways = (2 * x, x**2 * noise, (x**2 - theta**2 - 1) * noise)
        for way, variance in zip(ways, of_theta, strict=True):
            assert weight @ way == pytest.approx(2 * theta, abs=1e-9)  # all of the gradient of theta^2 + 1
            assert variance == pytest.approx(weight @ way**2 - (2 * theta) ** 2, rel=0.06)
    assert np.abs(found["path"][-1, 0]) < 0.5


@pytest.mark.slow
def test_em_and_gradients_reach_the_mixture_that_another_library_finds(drawing):
    found = drawing("three_gaussians")
    module = ExperimentFile.load(find("three_gaussians")).module
    model = GaussianMixture(
        3, covariance_type="diag", tol=1e-9, max_iter=1000, reg_covar=0, weights_init=np.ones(3) / 3,
        means_init=module.MEANS, precisions_init=np.ones((3, 2)),
    )  # fmt: skip
    best = model.fit(np.float64(module.POINTS)).score(np.float64(module.POINTS))
    np.testing.assert_allclose(found["course"][-1], best, atol=1e-4)
    np.testing.assert_allclose(found["EM"].means, model.means_, atol=1e-2)
    assert np.diff(found["course"][:, 0]).min() > -1e-5  # no move of EM loses anything


@pytest.mark.slow
def test_a_relaxed_bit_settles_where_its_own_gradient_vanishes_and_not_at_the_truth(drawing):
    found = drawing("relaxation")["course"][-1]
    assert found[0] == pytest.approx(special.expit(10 * (0.45**2 - 0.55**2)), abs=5e-3)
    noise = special.logit((np.arange(200_000) + 0.5) / 200_000)

    def gradient(logit, temperature):
        z = special.expit((logit + noise) / temperature)
        slope = z * (1 - z) / temperature
        return np.mean((-20 * (z - 0.45) - logit) * slope - z) + special.expit(logit)

    for temperature, probability in zip((0.05, 0.1, 0.3, 1.0), found[1:], strict=True):
        settled = special.expit(optimize.brentq(gradient, -2, 2, args=(temperature,)))
        assert probability == pytest.approx(settled, abs=0.02)


@pytest.mark.slow
def test_jacobians_of_flows_have_the_shapes_that_make_them_cheap(drawing):
    found = drawing("flow_jacobians", steps=500)
    coupling, autoregressive, planar = np.float64(found["jacobian"])
    exact = [np.linalg.slogdet(jacobian)[1] for jacobian in (coupling, autoregressive, planar)]
    np.testing.assert_allclose(found["log_det"], exact, atol=1e-4)
    np.testing.assert_array_equal(coupling[:4], np.eye(8)[:4])  # one half stays
    np.testing.assert_array_equal(coupling[4:, 4:], np.diag(np.diag(coupling[4:, 4:])))
    assert np.abs(coupling[4:, :4]).max() > 0.1
    np.testing.assert_array_equal(np.triu(autoregressive, 1), 0)
    assert np.abs(np.tril(autoregressive, -1)).max() > 0.1
    bends = np.linalg.svd(planar - np.eye(8), compute_uv=False)
    assert bends[0] > 0.1
    assert bends[1] < 1e-4


@pytest.mark.slow
def test_draws_of_the_prior_miss_what_draws_of_the_posterior_find(drawing):
    found = drawing("importance_sampling", steps=1000)
    assert found["slope"] == pytest.approx(1 / 1.25, abs=0.01)  # Bayes' rule for Gaussians
    assert found["variance"] == pytest.approx(0.25 / 1.25, abs=0.01)
    assert np.abs(found["prior"][0].mean()) < 0.05  # in one dimension a thousand draws are enough
    assert found["prior"][-1].mean() > 10
    assert np.abs(found["proposal"]).max() < 0.05


@pytest.mark.slow
def test_discriminators_of_mixtures_reach_what_the_game_is_worth(drawing):
    found = drawing("game_value", steps=1500)
    module = ExperimentFile.load(find("game_value")).module
    for share, value in zip(module.SHARES, module.values(found), strict=True):

        def best(x, share=share):
            p = stats.norm.pdf(x)
            q = (1 - share) * p + share * stats.norm.pdf(x, 3, 0.5)
            return special.xlogy(p, p / (p + q)) + special.xlogy(q, q / (p + q))

        assert value == pytest.approx(integrate.quad(best, -8, 8, limit=200)[0], abs=0.02)
        assert value < integrate.quad(best, -8, 8, limit=200)[0] + 1e-4  # none does better


@pytest.mark.slow
def test_the_critic_of_the_hinge_loss_is_the_support_vector_machine_of_another_library(drawing):
    found = drawing("hinge_margin")
    module = ExperimentFile.load(find("hinge_margin")).module
    x = np.concatenate([module.REAL, module.FAKE]).astype(np.float64)
    machine = SVC(kernel="linear", C=1 / (40 * 1e-3), tol=1e-8).fit(x, np.repeat([1, -1], 40))
    np.testing.assert_allclose(found["slope"], machine.coef_[0], atol=0.02)
    assert found["offset"] == pytest.approx(machine.intercept_[0], abs=0.02)
    assert module.numbers(found)["support"] == len(machine.support_)


@pytest.mark.slow
def test_one_iteration_a_step_keeps_up_with_the_decomposition(drawing):
    found = drawing("spectral_sigma")
    iterations = np.arange(60)
    for ratio, short in zip((0.5, 0.8, 0.95), found["short"], strict=True):
        late = np.where((short < 1e-2) & (short > 1e-5))[0]
        slope = np.polyfit(iterations[late], np.log(short[late]), 1)[0]
        assert slope == pytest.approx(4 * np.log(ratio), rel=0.05)
    kept, exact, once = found["course"][150:].T
    np.testing.assert_allclose(kept, exact, rtol=0.005)
    assert (once < 0.95 * exact).all()


@pytest.mark.slow
def test_masks_leave_paths_from_earlier_elements_alone(drawing):
    found = drawing("made_masks", steps=200)
    degrees = np.arange(8) + 1, 1 + np.arange(14) * 7 // 14
    ways = np.zeros((8, 8))
    for i, first, second, out in np.ndindex(8, 14, 14, 8):
        ways[i, out] += degrees[0][i] <= degrees[1][first] <= degrees[1][second] < out + 1
    np.testing.assert_array_equal(np.linalg.multi_dot(found["masks"]), ways)
    assert (np.triu(found["masked"], 1) == 0).all()
    assert np.tril(found["masked"], -1).max() > 0.1
    assert np.triu(found["dense"], 1).max() > 0.1


@pytest.mark.slow
def test_the_gap_of_a_bound_has_two_parts(drawing):
    found = dict(zip(("narrow", "wide", "free"), drawing("amortization_gap"), strict=True))
    x = np.linspace(-1.5, 4, 56)

    def joint(z, x):
        return stats.norm.pdf(z) * stats.norm.pdf(x, z + z**2 / 2, 0.5)

    truth = np.array([np.log(integrate.quad(joint, -8, 8, (each,), points=(-3, -1, 1), limit=200)[0]) for each in x])
    nodes, weights = hermegauss(20)

    def best(x):
        """By another optimizer, from where the posterior is highest."""

        def negative(q):
            z = q[0] + np.exp(q[1] / 2) * nodes
            reconstruction = weights @ stats.norm.logpdf(x, z + z**2 / 2, 0.5) / weights.sum()
            return -reconstruction + (q[0] ** 2 + np.exp(q[1]) - q[1] - 1) / 2

        starts = ((z, -1.0) for z in (-3.0, -1.0, 0.0, 1.0, 2.0))
        return -min(optimize.minimize(negative, start, method="Nelder-Mead").fun for start in starts)

    np.testing.assert_allclose(found["free"], [best(each) for each in x], atol=2e-3)
    assert (found["free"] < truth).all()
    assert (found["narrow"] < found["free"] + 1e-4).all()
    assert (truth - found["free"]).max() > 0.15
    assert (found["free"] - found["narrow"]).max() > 0.05


@pytest.mark.slow
def test_without_sleep_or_without_waking_little_is_learned(drawing):
    found = dict(zip(("both", "wake", "sleep"), drawing("wake_and_sleep")[-1], strict=True))
    module = ExperimentFile.load(find("wake_and_sleep")).module
    images = np.concatenate([module.bars(np.random.default_rng(seed), 50_000)["image"] for seed in range(2)])
    codes, counts = np.unique(images.reshape(len(images), -1) @ 2.0 ** np.arange(8, -1, -1), return_counts=True)
    expected = np.zeros(512)
    expected[codes.astype(int)] = counts / len(images)
    np.testing.assert_allclose(module.frequencies(), expected, atol=3e-3)
    entropy = stats.entropy(module.frequencies())
    evidence = {way: numbers[0] for way, numbers in found.items()}
    assert entropy < evidence["both"] < evidence["wake"] - 0.7
    assert evidence["wake"] < evidence["sleep"] - 0.3
    assert found["sleep"][2] < 0.02 < found["wake"][2]


@pytest.mark.slow
def test_confidences_are_the_weights_of_another_library_s_logistic_regression(drawing):
    course = drawing("learned_confidences")
    module = ExperimentFile.load(find("learned_confidences")).module
    data = module.advice(np.random.default_rng(0), 20_000)  # as it is trained on
    model = LogisticRegression(C=1e6, fit_intercept=False).fit(2 * data["said"] - 1, data["label"])
    np.testing.assert_allclose(course[-1], model.coef_[0] / 3, atol=0.03)  # 0 is where no positive number is
    np.testing.assert_allclose(course[-1], module.truth(), atol=0.05)


@pytest.mark.slow
def test_no_distribution_obeys_a_rule_for_less(drawing):
    found = drawing("knowledge_tradeoff")
    module = ExperimentFile.load(find("knowledge_tradeoff")).module
    p = np.exp(np.float64(module.LOG_P))
    obeys = p[module.F == 1].sum()
    for alpha, (nats, obeyed) in zip(module.ALPHAS, found["learned"], strict=True):
        share = obeys * np.exp(alpha) / (obeys * np.exp(alpha) + 1 - obeys)  # of two states: obeys or not
        assert obeyed == pytest.approx(share, abs=1e-3)
        assert nats == pytest.approx(stats.entropy([share, 1 - share], [obeys, 1 - obeys]), abs=1e-3)
    np.testing.assert_allclose(found["weighed"], found["best"], atol=0.05)
    nats, obeyed = found["shifted"].T
    assert (nats > np.interp(obeyed, found["best"][:, 1], found["best"][:, 0]) - 1e-4).all()


@pytest.mark.slow
def test_who_matches_occupancy_comes_back_and_who_copies_moves_does_not(drawing):
    found = drawing("occupancy")
    module = ExperimentFile.load(find("occupancy")).module
    rng, count = np.random.default_rng(1), 4000
    state, policy = np.full(count, module.START), found["matched"] / found["matched"].sum(1, keepdims=True)
    there = 0.0
    for step in range(150):  # episodes played, in the place of a linear solve
        there += 0.05 * 0.95**step * np.mean(state == module.GOAL)
        action = (rng.random((count, 1)) > policy[state].cumsum(1)).sum(1).clip(max=3)
        state = (rng.random((count, 1)) > module.TRANSITION[state, action].cumsum(1)).sum(1).clip(max=48)
    goal = {name: visits.sum(1)[module.GOAL] for name, visits in found.items()}
    assert there == pytest.approx(goal["matched"], abs=0.01)
    assert goal["uniform"] < 0.02 < goal["cloned"] < goal["matched"] - 0.05
    assert goal["matched"] < goal["expert"]


@pytest.mark.slow
@pytest.mark.optimized
def test_a_critic_s_estimate_comes_to_be_the_distance(drawing):
    frames = drawing("estimate_course")
    numbers = ExperimentFile.load(find("estimate_course")).module.numbers(frames)
    assert numbers["estimate_error"] < 0.15
    assert numbers["agreement"] > 0.7
    assert numbers["distance_first"] > 1.5 > 0.8 > numbers["distance_last"]
    assert numbers["divergence_least"] > 0.35


def test_the_distance_of_a_course_is_the_linear_programme_s():
    module = ExperimentFile.load(find("estimate_course")).module
    fake, real = np.random.default_rng(0).normal(size=(2, 30, 2))
    cost = np.linalg.norm(fake[:, None] - real, axis=-1)
    rows, columns = (np.kron(a, b) for a, b in ((np.eye(30), np.ones(30)), (np.ones(30), np.eye(30))))
    plan = optimize.linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.ones(60) / 30)
    frames = np.concatenate([fake, np.full((1, 2), 0.25)])[None, None].repeat(2, 1)
    course = module.courses(frames, real)
    np.testing.assert_allclose(course["wasserstein"], [[plan.fun, 0.25]], rtol=1e-6)


@pytest.mark.slow
def test_features_of_two_domains_come_to_coincide(drawing):
    found = drawing("turned_moons", steps=3000)
    numbers = ExperimentFile.load(find("turned_moons")).module.numbers(found)
    assert numbers["source_accuracy_source"] > 0.97
    assert numbers["target_accuracy_adapted"] > numbers["target_accuracy_source"] + 0.05
    assert numbers["domains_told_adapted"] < numbers["domains_told_source"]


def test_turned_moons_are_the_moons_turned():
    module = ExperimentFile.load(find("turned_moons")).module
    still, turned = (module.moons(degrees, np.random.default_rng(0), 500) for degrees in (0, 35))
    angle = [np.arctan2(*seen["x"].T[::-1]) for seen in (still, turned)]
    np.testing.assert_allclose(np.degrees(angle[1] - angle[0]) % 360, 35, atol=1e-2)
    np.testing.assert_array_equal(still["label"], turned["label"])
    upper = still["x"][still["label"] == 0] + [0.5, 0.25]
    assert np.hypot(*upper.T).mean() == pytest.approx(1, abs=0.02)


@pytest.mark.slow
def test_path_lengths_are_frobenius_norms_and_where_they_are_alike_so_are_singular_values(drawing):
    found = drawing("path_lengths")
    module = ExperimentFile.load(find("path_lengths")).module
    norms = np.array([np.linalg.norm(a, "fro") for a in module.RANDOM])
    np.testing.assert_allclose(found["squares"], norms**2 / 16, rtol=0.01)
    for name, least in (("before", 9.9), ("after", 1.0)):
        values = np.sqrt(np.linalg.eigvalsh(found[name] @ found[name].T))
        assert least <= values[-1] / values[0] < least * 1.7
        longs = found[f"lengths_{name}"]
        fourth = 2 * (values**4).sum() / (values**2).sum() ** 2  # of sums of squares, over the square of their mean
        assert np.var(longs**2) / np.mean(longs**2) ** 2 == pytest.approx(fourth, rel=0.1)


@pytest.mark.slow
def test_turned_images_tell_which_way_is_up_unless_all_are(drawing):
    found = drawing("leaking_augmentation", steps=2000)
    assert (found["shares"][:3, 0] > 0.95).all()
    assert np.abs(found["shares"][3] - found["shares"][4]).max() > 0.8  # as they began
    assert found["away"].max() < 0.3


@pytest.mark.parametrize("p", [0.0, 0.3, 0.8, 1.0])
def test_of_four_orientations_a_share_of_one_less_p_is_left(p):
    module = ExperimentFile.load(find("leaking_augmentation")).module
    np.testing.assert_allclose(module.leak(p), (1 - p) * np.eye(4) + p / 4, atol=1e-12)
    masses = np.array([0.6, 0.25, 0.1, 0.05])
    if p < 1:
        np.testing.assert_allclose(np.linalg.solve(module.leak(p), module.leak(p) @ masses), masses)
    else:
        np.testing.assert_allclose(module.leak(p) @ masses, 0.25)


def test_a_course_of_a_game_on_few_images_is_of_scipy_s_distances():
    """Planted frames: held-out digits themselves, the same moved by a tenth, and scores in the row below."""
    module = ExperimentFile.load(find("late_collapse")).module
    test = np.asarray(module.signed(module.digits()).test[np.arange(module.SAMPLES)]["image"]).reshape(-1, 64)
    dim = (0.5 * test).astype(np.float32)
    scores = np.zeros((1, 64), np.float32)
    scores[0, :3] = 3.0, 1.0, -9.0
    frames = np.stack([np.concatenate([images, scores]) for images in (test, test + np.float32(0.1), dim, dim)])[None]
    found = np.array([course[0] for course in module.courses(frames).values()])
    a, b = (np.cov(x.T.astype(float)) for x in (test, dim))
    roots = np.sqrt(linalg.eigvals(a @ b).real.clip(0))
    truth = np.sum((test.mean(0) - dim.mean(0)) ** 2) + np.trace(a + b) - 2 * roots.sum()
    np.testing.assert_allclose(found[:, 0], [0, 64 * 0.01, truth, truth], rtol=0.02, atol=2e-3)
    np.testing.assert_allclose(found[:, 1], 2.0)
    learned = np.asarray(module.signed(module.few(module.digits(), 100)).train[np.arange(100)]["image"]).reshape(-1, 64)
    apart = np.sum((test.mean(0) - learned.mean(0)) ** 2)
    assert module.nulls()["mean"] == pytest.approx(apart + np.trace(a), rel=0.01)  # what does not vary
    assert module.nulls()["copies"] == pytest.approx(module.distance(learned), rel=1e-6)


@pytest.mark.slow
@pytest.mark.optimized
def test_a_discriminator_that_knows_few_images_by_heart_spoils_samples_unless_it_is_relaxed(drawing):
    frames = drawing("late_collapse")
    numbers = ExperimentFile.load(find("late_collapse")).module.numbers(frames)
    ends = [numbers[f"last_{name}"] for name in ("strong", "relaxed_late", "relaxed_early", "weak")]
    assert ends == sorted(ends, reverse=True)
    assert ends[0] > 3 * numbers["least_strong"]
    assert ends[0] > 2 * ends[2]
    assert min(numbers[name] for name in numbers if name.startswith("gap_")) > 1  # training images score higher


@pytest.mark.slow
def test_colder_sequences_are_likelier_to_the_oracle_and_miss_more_of_it(drawing):
    found = drawing("sequence_frontier", steps=300)
    line = found["likelihood"]
    assert (np.diff(line["nats"]) < 0).all()  # from hot to cold
    assert line["missed"].argmin() <= 2  # near a temperature of 1
    assert line["missed"][-1] > line["missed"][1] + 1
    entropy = found["oracle"]
    assert (line["missed"] > entropy - 0.05).all()  # Gibbs' inequality
    alike = np.abs(found["constant"]["missed"][1] - line["missed"][1])
    assert alike > 1e-3  # a reward that is the same for all moves a policy all the same


@pytest.mark.slow
def test_where_labels_are_not_as_frequent_alike_features_make_mistakes(drawing):
    found = drawing("label_shift", steps=2000)
    module = ExperimentFile.load(find("label_shift")).module
    figures = module.numbers(found)
    assert figures["source_only_accuracy"] == pytest.approx(stats.norm.cdf(1 / 0.4), abs=0.015)  # Bayes's, near enough
    assert figures["dann_accuracy"] < figures["source_only_accuracy"] - 0.05
    source, target = np.array([0.5, 0.5]), np.array([0.05, 0.95])
    middle = (source + target) / 2
    labels = np.sqrt((stats.entropy(source, middle, 2) + stats.entropy(target, middle, 2)) / 2)
    assert figures["alignment"] < labels - 0.1
    assert figures["bound"] == pytest.approx((labels - figures["alignment"]) ** 2 / 2, rel=1e-4)
    assert figures["dann_errors"] > figures["bound"]


@pytest.mark.slow
def test_pairs_that_pass_for_one_another_are_of_inverses(drawing):
    found = drawing("bigan_inverse")
    module = ExperimentFile.load(find("bigan_inverse")).module
    a, b, c, d = found["course"][-1]
    assert a * c == pytest.approx(1, abs=0.02)
    assert abs(a) == pytest.approx(2, rel=0.05)  # the data's standard deviation
    assert b == pytest.approx(1.5, abs=0.1)
    assert c * b + d == pytest.approx(0, abs=0.05)

    def density(x, z, slope, offset, mean, std, way):
        """Of a pair of noises about u and its image, the mean over u."""
        u, weights = hermegauss(80)
        u = mean + std * u
        ends = (u, slope * u + offset) if way == "encoder" else (slope * u + offset, u)
        return stats.norm.pdf(x, ends[0], 0.5) * stats.norm.pdf(z, ends[1], 0.5) @ weights

    for i, j in ((8, 10), (12, 12), (14, 18), (18, 6)):
        x, z = module.X[i], module.Z[j]
        p, q = density(x, z, 0.3, 0, 1.5, 2, "encoder"), density(x, z, 1, 0, 0, 1, "generator")
        assert module.best()[i, j] == pytest.approx(p / (p + q), abs=1e-4)
        assert found["judgement"][i, j] == pytest.approx(p / (p + q), abs=0.03)


@pytest.mark.slow
def test_absolute_errors_say_the_median_squares_the_mean_and_a_game_both_answers(drawing):
    l1, l2, cgan = drawing("l1_median")
    assert (l1 > 0.9).mean() > 0.99
    assert l2.mean() == pytest.approx(0.4, abs=0.05)
    assert np.std(l2) < 0.1
    assert (cgan > 0).mean() == pytest.approx(0.7, abs=0.06)
    assert (np.abs(cgan) > 0.5).mean() > 0.8


@pytest.mark.slow
def test_there_and_back_and_the_distribution_fit_a_map_that_is_wrong(drawing):
    found = drawing("cycle_symmetry")
    figures = ExperimentFile.load(find("cycle_symmetry")).module.numbers(found)
    a, b, back = (3 * (found[name] @ [1, 1j]) for name in ("a", "b", "back"))
    assert np.abs(back - a).mean() == pytest.approx(figures["cycle_error"], rel=1e-4)
    assert figures["cycle_error"] < 0.05
    for way in (1, 1j):  # of distributions on the line
        assert stats.energy_distance((b * way).real, (a * 1j * way).real) < 0.2  # of a to 0: 0.9
    assert figures["energy"] < 0.1
    assert np.abs(b - 1j * a).mean() == pytest.approx(figures["translation_error"], rel=1e-4)
    assert figures["translation_error"] > 1
