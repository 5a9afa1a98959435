"""The command line as a user meets it: what it writes, and one sentence for every mistake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgen import cli
from jaxgen.data.embedded import digits
from jaxgen.data.transforms import signed_unit

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
VAE = str(EXPERIMENTS / "digits_vae.py")
COMMANDS = ("train", "eval", "sample", "bench", "compile", "list")
SMALL = ["--steps", "20", "--hidden", "8", "--latent-size", "2", "--batch-size", "32"]


def jaxgen(monkeypatch, *args):
    """Runs the command in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["jaxgen", *map(str, args)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a small run, and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "vae"
    command = [sys.executable, "-m", "jaxgen", "train", VAE, *SMALL, "--run-dir", str(folder)]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_writes_a_run_folder_and_says_how_to_go_on(trained):
    folder, printed = trained
    config = json.loads((folder / "config.json").read_text())
    assert config["config"]["hidden"] == 8
    assert [json.loads(row)["step"] for row in (folder / "metrics.jsonl").read_text().splitlines()] == [20]
    assert Image.open(folder / "samples" / "step_0000020.png").size[0] > 100
    assert json.loads((folder / "eval.json").read_text())["examples"] == 360
    assert "bits per dim" in (folder / "report.html").read_text()
    assert list(folder.glob("events.out.tfevents.*"))
    for word in ("bits_per_dim", "report.html", f"jaxgen sample {folder}", f"jaxgen eval {folder}", "--steps"):
        assert word in printed.replace("\n", "")


def test_the_same_command_resumes_and_fresh_starts_over(trained, monkeypatch, capsys, tmp_path):
    folder, _ = trained
    before = (folder / "metrics.jsonl").read_text()
    assert jaxgen(monkeypatch, "train", VAE, *SMALL, "--run-dir", folder) == 0
    assert "Resuming at step 20 of 20" in capsys.readouterr().out
    assert (folder / "metrics.jsonl").read_text() == before
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", folder, copy], check=True)
    (copy / "left.over").touch()
    assert jaxgen(monkeypatch, "train", VAE, *SMALL, "--run-dir", copy, "--fresh") == 0
    assert not (copy / "left.over").exists()
    said = capsys.readouterr().out
    assert "Resuming" not in said
    assert f"jaxgen train {VAE} {' '.join(SMALL)} --run-dir {copy}\n" in said  # what it says to resume with, does


def test_samples_as_arrays_and_as_a_picture(trained, monkeypatch, tmp_path):
    folder, _ = trained
    for seed in (0, 0, 1):
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.npz"
        assert jaxgen(monkeypatch, "sample", folder, "--count", 300, "--seed", seed, "--out", out) == 0
    first, same, other = (np.load(tmp_path / f"{i}.npz")["samples"] for i in range(3))
    assert first.shape == (300, 8, 8, 1)
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[:44], first[256:])  # beyond the first compiled draw
    assert jaxgen(monkeypatch, "sample", folder, "--out", tmp_path / "grid.png") == 0
    assert Image.open(tmp_path / "grid.png").mode == "RGB"


def test_rows_of_related_samples(trained, monkeypatch, tmp_path):
    folder, _ = trained

    def samples(*args, rows):
        out = tmp_path / "samples.npz"
        assert jaxgen(monkeypatch, "sample", folder, "--count", rows * 5, *args, "--out", out) == 0
        return np.load(out)["samples"].reshape(rows, -1, 8, 8, 1)

    plain = samples(rows=2).reshape(10, 8, 8, 1)
    between = samples("--interpolate", 5, rows=10)
    np.testing.assert_allclose(between[:, 0], plain, atol=1e-6)
    assert np.abs(between[:, 4] - plain).max() > 0.01
    cooler = samples("--temperature", "1,0.7,0.3,0.1,1e-6", rows=10)
    np.testing.assert_allclose(cooler[:, 0], plain, atol=1e-6)
    np.testing.assert_allclose(cooler[:, 4], cooler[:1, 4].repeat(10, 0), atol=1e-4)  # the origin's picture
    # 8 - 8 + 3 ends at the mean latent of 3, where 3 - 8 + 8 stays; below are single eights and threes.
    there, here = samples("--arithmetic", "8-8+3", rows=3), samples("--arithmetic", "3-8+8", rows=3)
    np.testing.assert_allclose(there[0, 4], here[0, 0], atol=1e-5)
    np.testing.assert_allclose(here, here[:, :1].repeat(5, 1), atol=1e-5)
    assert np.abs(there[:, 4] - there[:, 0]).max((1, 2, 3)).min() > 1e-3
    beside = samples("--neighbors", rows=4).reshape(-1, 2, 8, 8, 1)
    data = digits().map(signed_unit(17)).train
    images = data[np.arange(len(data))]["image"]
    distance = ((beside[:, :1] - images[None]) ** 2).sum((2, 3, 4))
    np.testing.assert_allclose(beside[:, 1], images[distance.argmin(1)], atol=1e-6)


def test_a_picture_among_the_drawings_becomes_part_of_the_report(trained, monkeypatch):
    folder, _ = trained
    out = folder / "drawings" / "from_one_to_another.png"
    assert jaxgen(monkeypatch, "sample", folder, "--interpolate", 8, "--out", out) == 0
    assert Image.open(out).size[0] == 8 * (64 + 2) + 2
    assert "from one to another" in (folder / "report.html").read_text()


def test_what_the_model_cannot_do_is_one_sentence(trained, monkeypatch, capsys, tmp_path):
    folder, _ = trained
    for args, says in (
        (["--arithmetic", "3-10"], "arithmetic names class 10, which none of the training examples has."),
        (["--classes", "1,2"], "classes is given, but this model knows no classes; leave it out."),
    ):
        assert jaxgen(monkeypatch, "sample", folder, *args, "--out", tmp_path / "grid.png") == 2
        assert says in capsys.readouterr().err


def test_evaluating_again_gives_the_same_figures(trained, monkeypatch, capsys):
    folder, _ = trained
    before = json.loads((folder / "eval.json").read_text())["figures"]
    assert jaxgen(monkeypatch, "eval", folder) == 0
    again = json.loads((folder / "eval.json").read_text())["figures"]
    for name, figure in before.items():
        assert figure["mean"] == pytest.approx(again[name]["mean"], rel=1e-5)
    assert f"{again['bits_per_dim']['mean']:.4f}" in capsys.readouterr().out


def test_a_checkpoint_that_early_stopping_found_best_is_used_before_newer_ones(trained, monkeypatch, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    (run / "checkpoints" / "20" / "score").mkdir()
    (run / "checkpoints" / "20" / "score" / "metadata").write_text('{"score": -1.5}')
    assert jaxgen(monkeypatch, "train", VAE, "--steps", "30", *SMALL[2:], "--run-dir", run) == 0
    assert json.loads((run / "eval.json").read_text())["step"] == 30
    assert jaxgen(monkeypatch, "eval", run) == 0
    assert json.loads((run / "eval.json").read_text())["step"] == 20


def test_samples_are_compared_with_data_by_features_that_are_named(trained, monkeypatch, capsys, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    by_pixels = ["--features", "pixels", "--samples", "200"]
    assert jaxgen(monkeypatch, "eval", run, *by_pixels) == 0
    printed = capsys.readouterr().out
    first = json.loads((run / "eval.json").read_text())
    samples = first["samples"]
    assert {k: samples[k] for k in ("features", "split", "examples", "samples")} == {
        "features": "pixels",
        "split": "digits/test",
        "examples": 200,
        "samples": 200,
    }
    distance, real = (samples[k]["frechet_distance"]["mean"] for k in ("figures", "training_images"))
    assert distance > 2 * real > 0
    for text in ("200 samples against 200 images of digits/test", "features: pixels", f"{distance:.4f}"):
        assert text in printed
    assert "200 images of digits/test; features: pixels" in (run / "report.html").read_text()
    assert "bits_per_dim" in first["figures"]
    assert jaxgen(monkeypatch, "eval", run) == 0  # the samples are those of this step still
    assert json.loads((run / "eval.json").read_text()) == first
    capsys.readouterr()
    says = (
        ("--features", "inception", "features is 'inception'; choose pixels, classifier or inception:FILE.npz"),
        ("--features", "inception:no.npz", "features names no.npz, which does not exist; jaxgen/quality/inc"),
        (
            "--features",
            "pixels",
            "--samples",
            "99",
            "samples is 99 images; comparing samples with data takes at least 100",
        ),
    )
    for *options, message in says:
        assert jaxgen(monkeypatch, "eval", run, *options) == 2
        assert message in capsys.readouterr().err


def test_bench_reports_as_json_and_compares_with_what_it_reported(monkeypatch, capsys, tmp_path):
    bench = ["bench", VAE, "--steps", "50", "--hidden", "8"]
    assert jaxgen(monkeypatch, *bench, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    half = tmp_path / "half.json"
    half.write_text(json.dumps(figures | {"steps_per_second_rounds": [rate / 1000 for rate in [1, 2, 3]]}))
    assert jaxgen(monkeypatch, *bench, "--sweep", "1,2", "--against", half, "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["devices"] for row in rows] == [1, 2]
    assert all(row["against"]["outside_spread"] for row in rows)
    assert figures["steps_per_second_min"] <= figures["steps_per_second"] <= figures["steps_per_second_max"]
    # Units 64-8-8-(2·16) and 16-8-8-(2·64): thrice the forward product each, less the first layer's input gradient.
    layers = [(64, 8), (8, 8), (8, 32), (16, 8), (8, 8), (8, 128)]
    forward = sum(2 * 64 * a * b for a, b in layers)
    assert figures["flops_per_step"] == 3 * forward - 2 * 64 * 64 * 8
    assert figures["compile_cold_seconds"] > 0
    assert figures["input_images_per_second"] > 0


def test_list_shows_every_experiment(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert jaxgen(monkeypatch, "list", EXPERIMENTS) == 0
    printed = capsys.readouterr().out
    for path in EXPERIMENTS.glob("*.py"):
        assert path.stem in printed


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--help"],
        ["--version"],
        *[[command, "--help"] for command in ("train", "eval", "sample", "bench", "compile", "list")],
    ],
)
def test_help_is_never_far(args, monkeypatch, capsys):
    assert jaxgen(monkeypatch, *args) == 0
    assert "jaxgen" in capsys.readouterr().out


def test_help_of_an_experiment_shows_its_settings_with_defaults(monkeypatch, capsys):
    assert jaxgen(monkeypatch, "train", VAE, "--help") == 0
    printed = capsys.readouterr().out
    for word in ("--learning-rate", "Adam's step size", "default: 0.001", "--fresh", "--run-dir"):
        assert word in printed


def bad(*args, says):
    return pytest.param(args, says, id=says)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        bad("tain", says="command 'tain' is unknown; choose one of train, eval, sample, bench, compile, list"),
        bad("train", says="FILE is missing"),
        bad("train", "experiments/digits_vea.py", says="experiments/digits_vea.py does not exist; did you mean"),
        bad("train", "digits_vea", says="digits_vea does not exist; did you mean"),
        bad("train", "experiments", says="experiments is a folder; `jaxgen list"),
        bad("train", "pyproject.toml", says="is not a Python file"),
        bad("train", "tests/conftest.py", says="needs a dataclass `Config`"),
        bad("train", VAE, "--steps", "many", says="--steps: invalid literal"),
        bad("train", VAE, "--step-size", "1", says="Unrecognized options: --step-size"),
        bad("train", VAE, "--learnig-rate", "1", says="--learnig-rate, 1; did you mean --learning-rate?"),
        bad("train", VAE, "--data-dir", "README.md", says="data_dir README.md is not a folder"),
        bad("train", VAE, "--steps", says="Missing value for argument '--steps'"),
        bad("train", VAE, "--steps", "-5", says="steps is -5; it must be at least 1"),
        bad("train", VAE, "--batch-size", "0", says="batch_size is 0; it must be at least 1"),
        bad("train", VAE, "--hidden", "0", says="hidden is 0; it must be at least 1"),
        bad("train", VAE, "--learning-rate", "nan", says="learning_rate is nan; it must be a positive number"),
        bad(
            "train",
            VAE,
            "--batch-size",
            "30",
            says="batch_size=30 cannot be split evenly over the mesh's 4 data shards",
        ),
        bad("train", VAE, "--batch-size", "2000", says="batch_size=2000 exceeds the 1437 examples of digits"),
        bad("train", VAE, "--seed", "-1", says="seed is -1; it must not be negative"),
        bad("train", VAE, "--steps-per-call", "7", says="is not a multiple of steps_per_call 7"),
        bad("train", VAE, "--run-dir", "/proc/nowhere", says="run folder /proc/nowhere cannot be written"),
        bad("train", VAE, "--run-dir", "tests", says="folder tests is not a run of jaxgen"),
        bad("train", VAE, "--run-dir", "tests", "--fresh", says="folder tests is not a run of jaxgen (it has no"),
        bad("train", VAE, "--run-dir", "pyproject.toml", says="pyproject.toml"),
        bad("eval", "nowhere", says="run folder nowhere does not exist"),
        bad("eval", "README.md", says="run folder README.md is not a folder"),
        bad("eval", "tests", says="folder tests is not a run of jaxgen (it has no config.json)"),
        bad("eval", says="Missing"),
        bad("sample", "nowhere", says="run folder nowhere does not exist"),
        bad("sample", "nowhere", "--count", "0", says="count is 0; it must be at least 1"),
        bad("sample", "nowhere", "--out", "grid.gif", says="must end in .png or .npz"),
        bad("sample", "nowhere", "--out", "no/where.png", says="folder no does not exist"),
        bad("sample", "nowhere", "--temperature", "1,-2", says="temperature is '1,-2'; write positive numbers"),
        bad("sample", "nowhere", "--truncation", "two", says="truncation is 'two'; write positive numbers"),
        bad("sample", "nowhere", "--interpolate", "1", says="interpolate is 1; it must be at least 2"),
        bad("sample", "nowhere", "--arithmetic", "8+-3", says="arithmetic is '8+-3'; write classes with + and -"),
        bad("sample", "nowhere", "--classes", "a", says="classes is 'a'; write whole numbers"),
        bad("sample", "x", "--neighbors", "--temperature", "2", says="temperature and neighbors both say what a row"),
        bad("bench", VAE, "--steps", "0", says="steps is 0"),
        bad("bench", VAE, "--sweep", "1,five", says="sweep is '1,five'; write whole numbers"),
        bad("bench", VAE, "--sweep", "5", says="sweep holds 5 but there are 4 devices"),
        bad(
            "bench",
            VAE,
            "--against",
            "nowhere.json",
            says="against is nowhere.json, which cannot be read",
        ),
        bad("bench", VAE, "--against", "pyproject.toml", says="which is not what `jaxgen bench --json` prints"),
        bad("compile", says="FILE is missing"),
        bad("compile", VAE, says="topology is missing; name the chips, as in `--topology v5e:4x4`"),
        bad("compile", VAE, "--topology", "v5e", says="topology is 'v5e'; write it as v5e:16x16"),
        bad("compile", VAE, "--topology", "cpu:4", "--sweep", "1;2", says="sweep is '1;2'; write whole numbers"),
        bad("compile", VAE, "--topology", "cpu:4", "--batch-size", "6", says="batch_size 6 cannot be split evenly"),
        bad("compile", VAE, "--topology", "cpu:4", "--mesh.fsdp", "3", says="mesh.fsdp 3 times mesh.tensor 1 does not"),
        bad("list", "tests/losses/nothing", says="holds no experiments"),
    ],
)
def test_bad_input_is_one_sentence(args, says, monkeypatch, capsys):
    monkeypatch.chdir(EXPERIMENTS.parent)
    files = set(Path().glob("*"))
    assert jaxgen(monkeypatch, *args) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("jaxgen: ")
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err + printed.out
    assert set(Path().glob("*")) == files


def test_a_missing_data_set_is_one_sentence(monkeypatch, capsys, tmp_path):
    mnist = str(EXPERIMENTS / "mnist_vae.py")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert jaxgen(monkeypatch, "train", mnist, "--run-dir", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "'mnist' is not prepared" in error
    assert "--data-dir" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_with_other_settings_or_of_another_experiment_is_not_overwritten(trained, monkeypatch, capsys):
    folder, _ = trained
    files = {path: path.stat().st_mtime for path in folder.rglob("*")}

    assert jaxgen(monkeypatch, "train", VAE, *[("9" if v == "8" else v) for v in SMALL], "--run-dir", folder) == 2
    assert "hidden is 9 but the run" in capsys.readouterr().err
    assert jaxgen(monkeypatch, "train", str(EXPERIMENTS / "digits_dcgan.py"), "--run-dir", folder) == 2
    assert "holds a run of digits_vae, not of digits_dcgan" in capsys.readouterr().err
    assert files == {path: path.stat().st_mtime for path in folder.rglob("*")}


@pytest.fixture
def read_only(trained, tmp_path):
    """A run in a folder that nobody, not even root, can write."""
    folder = tmp_path / "run"
    subprocess.run(["cp", "-r", trained[0], folder], check=True)
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_read_only_run_is_refused_before_anything_compiles_and_can_still_be_read(
    read_only, monkeypatch, capsys, tmp_path
):
    events = []
    jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: events.append(name))
    longer = ["--steps", "40", *SMALL[2:]]
    assert jaxgen(monkeypatch, "train", VAE, *longer, "--run-dir", read_only) == 2
    assert not [name for name in events if "compile" in name]
    says = f"jaxgen: run folder {read_only} cannot be written (Read-only file system); name another with --run-dir.\n"
    assert capsys.readouterr().err == says
    assert jaxgen(monkeypatch, "train", VAE, *SMALL, "--run-dir", read_only, "--fresh") == 2
    assert "(Read-only file system)" in capsys.readouterr().err
    assert jaxgen(monkeypatch, "eval", read_only) == 2
    says = f"jaxgen: {read_only / 'eval.json'} cannot be written (Read-only file system); make room or allow it.\n"
    assert capsys.readouterr().err == says
    assert jaxgen(monkeypatch, "sample", read_only, "--out", tmp_path / "grid.png") == 0


def test_damaged_checkpoints_are_one_sentence_in_a_process_of_its_own(trained, tmp_path):
    folder = tmp_path / "run"
    subprocess.run(["cp", "-r", trained[0], folder], check=True)
    shutil.copytree(folder / "checkpoints" / "20", folder / "checkpoints" / "30")

    def sample():
        out = ["--out", tmp_path / "grid.png"]
        done = subprocess.run([sys.executable, "-m", "jaxgen", "sample", folder, *out], capture_output=True, text=True)
        assert done.stderr.startswith("jaxgen: ")
        assert done.stderr.count("\n") == 1, done.stderr
        return done

    for step, fate in (("30", "passed over; using step 20"), ("20", "no checkpoint")):
        for path in (folder / "checkpoints" / step / "state").rglob("d/*"):
            path.write_bytes(path.read_bytes()[:10])
        files = {path: path.stat().st_mtime for path in folder.rglob("*") if path.is_file()}
        done = sample()
        assert done.returncode == (0 if step == "30" else 2)
        assert fate in done.stderr
        assert files == {path: path.stat().st_mtime for path in folder.rglob("*") if path.is_file()}


def test_a_run_folder_may_not_bring_its_own_code(trained, monkeypatch, capsys, tmp_path):
    folder = tmp_path / "run"
    subprocess.run(["cp", "-r", trained[0], folder], check=True)
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "file": str(folder / "evil.py")}))
    assert jaxgen(monkeypatch, "eval", folder) == 2
    assert "brings its own code" in capsys.readouterr().err


def test_a_method_that_draws_nothing_trains_without_pictures_and_says_so(monkeypatch, capsys, tmp_path):
    file = tmp_path / "digits_mute.py"
    mute = "\n\ndef experiment(config):\n    one = with_samples(config)\n    return dataclasses.replace(one, method="
    source = Path(VAE).read_text().replace("def experiment(", "def with_samples(")
    file.write_text(f"{source}{mute}dataclasses.replace(one.method, latents=None))\n")
    run = tmp_path / "run"
    assert jaxgen(monkeypatch, "train", file, *SMALL, "--run-dir", run) == 0
    assert not list((run / "samples").iterdir())
    assert (run / "report.html").exists()
    capsys.readouterr()
    assert jaxgen(monkeypatch, "sample", run, "--out", tmp_path / "grid.png") == 2
    assert "this method draws no samples; look at its figures with `jaxgen eval`." in capsys.readouterr().err.replace(
        "\n", " "
    )
    assert not (tmp_path / "grid.png").exists()
