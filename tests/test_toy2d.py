"""Flows on known densities: a density that integrates to one, better than a Gaussian and no better than the truth."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image
from scipy import stats

from jaxgen import cli
from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.core import Net, view_of
from jaxgen.data.synthetic import two_moons
from jaxgen.experiment import ExperimentFile
from jaxgen.methods.flow.flow import flow
from jaxgen.report.density import density_drawing, density_figure, square_grid
from jaxgen.shipped import find
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)


@pytest.mark.slow
def test_a_trained_flow_is_a_density_between_the_gaussian_and_the_truth():
    file = ExperimentFile.load(find("realnvp"))
    experiment = file.build(file.config(data="two_moons", steps=400, couplings=2, width=16))
    method, step = experiment.method, build_step(experiment.method)
    x, held_out = (split[np.arange(len(split))]["x"] for split in (experiment.data.train, experiment.data.test))
    grid, area = square_grid(6.0, 300)

    @jax.jit
    def log_prob():
        """Of the held-out points and of the grid, after training."""
        batches = {"x": jnp.asarray(x[: 100 * 256].reshape(100, 1, 256, 2))}
        state = init_state(method, KEY, {"x": batches["x"][0, 0]})

        def body(state, i):
            return step(state, jax.tree.map(lambda b: b[i % 100], batches), KEY)[0], None

        view = view_of(method, jax.lax.scan(body, state, jnp.arange(400))[0]).averaged()
        points = np.concatenate([held_out, grid])
        return method.evaluate(view, {"x": points}, KEY)["log_likelihood_nats"]

    nats, on_grid = np.split(np.asarray(log_prob(), np.float64), [len(held_out)])
    assert np.exp(on_grid).sum() * area == pytest.approx(1, abs=1e-3)
    gaussian = stats.multivariate_normal(x.mean(0), np.cov(x.T)).logpdf(held_out)
    truth = two_moons().log_prob(held_out)
    assert gaussian.mean() + 0.3 < nats.mean() < truth.mean() + 3 * truth.std() / np.sqrt(len(truth))


def test_the_drawing_computes_the_density_of_each_cell():
    x = np.random.default_rng(0).normal([0.5, -1.0], [0.5, 1.5], (512, 2)).astype(np.float32)
    method = flow(Net(ActNorm(), optax.sgd(0.0)), event_shape=(2,))
    drawing = density_drawing(method, two_moons().log_prob)
    density = drawing.compute(view_of(method, init_state(method, KEY, {"x": x})))
    grid, area = square_grid(4.0)
    assert area == pytest.approx((8 / 200) ** 2)
    np.testing.assert_allclose(density, stats.norm(x.mean(0), x.std(0)).pdf(grid).prod(1), rtol=1e-3, atol=1e-6)
    assert [axes.get_title() for axes in drawing.draw(np.asarray(density)).axes] == ["data", "model"]


def test_bright_is_where_the_density_is_and_up_is_up():
    grid, _ = square_grid(1.0)
    corner = (grid > 0.5).all(1).astype(float)  # x and y both large: top right
    figure = density_figure({"data": corner, "model": np.zeros(len(grid))}, limit=1.0)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3].astype(float).mean(-1)
    (left, right) = (
        pixels[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
        for box in (axes.get_window_extent() for axes in figure.axes)
    )
    assert left[-20, -20] > 200
    assert max(left[20, -20], left[-20, 20], left[20, 20], right[-20, -20]) < 50


def test_training_draws_the_density_into_the_run_folder_and_the_report(monkeypatch, capsys, tmp_path):
    file, run = find("radial"), tmp_path / "run"
    small = ["--steps", "10", "--depth", "2", "--data", "checkerboard", "--run-dir", str(run)]
    monkeypatch.setattr(sys, "argv", ["jaxgen", "train", str(file), *small, "--batch-size", "32"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    assert "samples/, drawings/, eval.json" in capsys.readouterr().out
    assert Image.open(run / "drawings/density.png").size[0] > 500
    assert 'alt="density"' in (run / "report.html").read_text()
