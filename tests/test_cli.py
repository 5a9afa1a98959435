"""The command line as a user meets it: what it writes, and what it does with runs that are there."""

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import jaxgen as package
from jaxgen.data.embedded import digits
from jaxgen.data.transforms import signed_unit
from jaxgen.shipped import find

VAE = str(find("vae"))
SMALL = ["--steps", "20", "--hidden", "8", "--latent-size", "2", "--batch-size", "32"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a small run, and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "a vae"  # a name that a shell would take apart
    command = [sys.executable, "-m", "jaxgen", "train", VAE, *SMALL, "--run-dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_writes_a_run_folder_and_says_how_to_go_on(trained):
    folder, printed = trained
    config = json.loads((folder / "config.json").read_text())
    assert config["config"]["hidden"] == 8
    assert [json.loads(row)["step"] for row in (folder / "metrics.jsonl").read_text().splitlines()] == [20]
    assert Image.open(folder / "samples" / "step_0000020.png").size[0] > 100
    assert json.loads((folder / "eval.json").read_text())["examples"] == 360
    report = html.unescape((folder / "report.html").read_text())
    assert "bits per dim" in report
    assert f"jaxgen train {VAE} {' '.join(SMALL)} --run-dir '{folder}'" in report
    assert f"in {folder}\n" in printed
    events = EventAccumulator(str(folder)).Reload()  # TensorBoard has curves, figures, pictures and settings
    assert {"elbo/loss", "held_out/bits_per_dim", "null_controls/bits_per_dim/untrained"} <= {*events.Tags()["scalars"]}
    assert [image.step for image in events.Images("samples")] == [20]
    assert events.PluginTagToContent("hparams")
    for word in ("bits_per_dim ↓", "report.html", f"jaxgen sample '{folder}'", f"jaxgen eval '{folder}'"):
        assert word in printed.replace("\n", "")


def test_the_same_command_resumes_and_fresh_starts_over(trained, jaxgen, capsys, tmp_path):
    folder, _ = trained
    before = (folder / "metrics.jsonl").read_text()
    assert jaxgen("train", VAE, *SMALL, "--run-dir", folder) == 0
    assert "Resuming at step 20 of 20" in capsys.readouterr().out
    assert (folder / "metrics.jsonl").read_text() == before
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", folder, copy], check=True)
    (copy / "left.over").touch()
    assert jaxgen("train", VAE, *SMALL, "--run-dir", copy, "--fresh") == 0
    assert not (copy / "left.over").exists()
    said = capsys.readouterr().out
    assert "Resuming" not in said
    longer = f"jaxgen train {VAE} {' '.join(SMALL[2:])} --run-dir {copy} --steps 40"
    assert f"{longer}\n" in said
    assert jaxgen(*longer.split()[1:]) == 0  # what it says to go on with, does
    assert "Resuming at step 20 of 40" in capsys.readouterr().out


def test_samples_as_arrays_and_as_a_picture(trained, jaxgen, tmp_path):
    folder, _ = trained
    for seed in (0, 0, 1):
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.npz"
        assert jaxgen("sample", folder, "--count", 300, "--seed", seed, "--out", out) == 0
    first, same, other = (np.load(tmp_path / f"{i}.npz")["samples"] for i in range(3))
    assert first.shape == (300, 8, 8, 1)
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[:44], first[256:])  # beyond the first compiled draw
    assert jaxgen("sample", folder, "--out", tmp_path / "grid.png") == 0
    assert Image.open(tmp_path / "grid.png").mode == "RGB"


def test_rows_of_related_samples(trained, jaxgen, tmp_path):
    folder, _ = trained

    def samples(*args, rows):
        out = tmp_path / "samples.npz"
        assert jaxgen("sample", folder, "--count", rows * 5, *args, "--out", out) == 0
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
    assert len(beside) == 20  # as many pairs as are asked for
    data = digits().map(signed_unit(17)).train
    images = data[np.arange(len(data))]["image"]
    distance = ((beside[:, :1] - images[None]) ** 2).sum((2, 3, 4))
    np.testing.assert_allclose(beside[:, 1], images[distance.argmin(1)], atol=1e-6)


def test_a_picture_among_the_drawings_becomes_part_of_the_report(trained, jaxgen):
    folder, _ = trained
    out = folder / "drawings" / "from_one_to_another.png"
    assert jaxgen("sample", folder, "--interpolate", 8, "--out", out) == 0
    assert Image.open(out).size[0] == 8 * (64 + 2) + 2
    assert "from one to another" in (folder / "report.html").read_text()


def test_what_the_model_cannot_do_is_one_sentence(trained, jaxgen, capsys, tmp_path):
    folder, _ = trained
    for args, says in (
        (["--arithmetic", "3-10"], "arithmetic names class 10, which none of the training examples has."),
        (["--classes", "1,2"], "classes is given, but this model knows no classes; leave it out."),
    ):
        assert jaxgen("sample", folder, *args, "--out", tmp_path / "grid.png") == 2
        assert says in capsys.readouterr().err


def test_an_exported_model_runs_without_jaxgen_and_does_the_same(trained, jaxgen, tmp_path):
    folder = tmp_path / "exported"
    assert jaxgen("export", trained[0], "--out", folder) == 0
    card = json.loads((folder / "card.json").read_text())
    assert set(card["functions"]) == {"sample", "encode", "reconstruct"}
    assert not any("optimizer" in name or "opt_state" in name for name in card["weights"])
    assert card["functions"]["encode"]["inputs"] == {
        "image": {"shape": ["batch", 8, 8, 1], "dtype": "float32", "low": -1, "high": 1, "levels": 17}
    }
    code = """
import sys
for name in ("jaxgen", "flax", "optax", "safetensors", "orbax", "tensorflow_datasets"):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import numpy as np
from load import load
image = np.load(sys.argv[1] + "/image.npy")
found = {"sample": load("sample")(seed=range(3)), "encode": load("encode")(image=image)}
found["reconstruct"] = load("reconstruct")(image=image)
found["sample_5"] = load("sample")(seed=[2, 1, 9, 9, 0])
np.savez(sys.argv[1] + "/found.npz", **found)
"""
    images = digits().map(signed_unit(17)).test[np.arange(4)]["image"]
    np.save(folder / "image.npy", images)
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found, model = np.load(folder / "found.npz"), package.load_run(trained[0])
    latents = model.method.latents
    z = model.apply(latents.encode, {"image": images})
    np.testing.assert_allclose(found["encode"], z, atol=1e-5)
    again = model.apply(lambda view, z: latents.decode(view, z, jax.random.key(0)), z)
    np.testing.assert_allclose(found["reconstruct"], again, atol=1e-5)
    for seed in range(3):
        np.testing.assert_allclose(found["sample"][[seed]], model.sample(jax.random.key(seed), 1), atol=1e-5)
    np.testing.assert_allclose(found["sample_5"][[1, 0]], found["sample"][1:], atol=1e-6)  # whatever stands beside it


def test_runs_are_compared_by_the_same_noise_whatever_their_seeds(trained, jaxgen, capsys, tmp_path):
    runs = {name: tmp_path / name for name in ("one", "other", "foreign")}
    for name, run in runs.items():
        shutil.copytree(trained[0], run)
        config = json.loads((run / "config.json").read_text())
        config["config"]["seed"] = len(name)
        if name == "foreign":
            config["file"] = str(run.parent / "unheard_of.py")
        (run / "config.json").write_text(json.dumps(config))
    assert jaxgen("compare", *runs.values(), "--count", 9, "--out", tmp_path / "compare.html") == 0
    page = html.unescape((tmp_path / "compare.html").read_text())
    one, other = re.findall(r'<img src="(data:image/[^"]*)"', page)
    assert one == other  # of networks that are the same
    assert "which nobody named on a command line here" in page
    said = capsys.readouterr().out
    assert "seed" in said
    assert "hidden" not in said  # which they share
    assert "mean ± deviation" in said


def test_evaluating_again_gives_the_same_figures(trained, jaxgen, capsys):
    folder, _ = trained
    before = json.loads((folder / "eval.json").read_text())["figures"]
    assert jaxgen("eval", folder) == 0
    again = json.loads((folder / "eval.json").read_text())["figures"]
    for name, figure in before.items():
        assert figure["mean"] == pytest.approx(again[name]["mean"], rel=1e-5)
    assert f"{again['bits_per_dim']['mean']:.4f}" in capsys.readouterr().out


def test_a_checkpoint_that_early_stopping_found_best_is_used_before_newer_ones(trained, jaxgen, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    (run / "checkpoints" / "20" / "score").mkdir()
    (run / "checkpoints" / "20" / "score" / "metadata").write_text('{"score": -1.5}')
    assert jaxgen("train", VAE, "--steps", "30", *SMALL[2:], "--run-dir", run) == 0
    assert json.loads((run / "eval.json").read_text())["step"] == 30
    assert jaxgen("eval", run) == 0
    assert json.loads((run / "eval.json").read_text())["step"] == 20


@pytest.mark.slow
def test_samples_are_compared_with_data_by_features_that_are_named(trained, jaxgen, capsys, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    by_pixels = ["--features", "pixels", "--samples", "200"]
    assert jaxgen("eval", run, *by_pixels) == 0
    printed = capsys.readouterr().out
    first = json.loads((run / "eval.json").read_text())
    samples = first["samples"]
    compared = {"features": "pixels", "split": "digits/test", "examples": 200, "samples": 200}
    compared |= {"training_split": "digits/train", "training_examples": 1437}
    assert {name: samples[name] for name in compared} == compared
    kinds = ("untrained", "figures", "training_images")
    untrained, distance, real = (samples[kind]["frechet_distance"]["mean"] for kind in kinds)
    assert untrained > distance > 2 * real > 0
    said = ("200 samples against 200 images of digits/test", "features: pixels", f"{distance:.4f}", f"{untrained:.4f}")
    for text in (*said, "frechet_distance ↓", "recall ↑"):
        assert text in printed
    assert "and any class_kl: 1,437 of digits/train); features: pixels" in (run / "report.html").read_text()
    assert "bits_per_dim" in first["figures"]
    assert jaxgen("eval", run) == 0  # the samples are those of this step still
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
        assert jaxgen("eval", run, *options) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_bench_reports_as_json_and_compares_with_what_it_reported(jaxgen, capsys, tmp_path):
    bench = ["bench", VAE, "--steps", "50", "--hidden", "8"]
    assert jaxgen(*bench, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    half = tmp_path / "half.json"
    half.write_text(json.dumps(figures | {"steps_per_second_rounds": [rate / 1000 for rate in [1, 2, 3]]}))
    assert jaxgen(*bench, "--sweep", "1,2", "--against", half, "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["devices"] for row in rows] == [1, 2]
    assert all(row["against"]["outside_spread"] for row in rows)
    assert jaxgen(*bench, "--sweep", "1", "--against", half) == 0
    assert "outside the spread" in " ".join(re.findall(r"[a-z]+", capsys.readouterr().out))
    assert figures["steps_per_second_min"] <= figures["steps_per_second"] <= figures["steps_per_second_max"]
    # Units 64-8-8-(2·16) and 16-8-8-(2·64): thrice the forward product each, less the first layer's input gradient.
    layers = [(64, 8), (8, 8), (8, 32), (16, 8), (8, 8), (8, 128)]
    forward = sum(2 * 64 * a * b for a, b in layers)
    assert figures["flops_per_step"] == 3 * forward - 2 * 64 * 64 * 8
    assert figures["compile_cold_seconds"] > 0
    assert figures["input_images_per_second"] > 0


def test_a_run_with_other_settings_or_of_another_experiment_is_not_overwritten(trained, jaxgen, capsys):
    folder, _ = trained
    files = {path: path.stat().st_mtime for path in folder.rglob("*")}

    assert jaxgen("train", VAE, *[("9" if v == "8" else v) for v in SMALL], "--run-dir", folder) == 2
    assert "hidden is 9 but the run" in capsys.readouterr().err
    assert jaxgen("train", str(find("dcgan")), "--run-dir", folder) == 2
    assert "holds a run of vae, not of dcgan" in capsys.readouterr().err
    assert files == {path: path.stat().st_mtime for path in folder.rglob("*")}


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_refused_command_leaves_every_byte_as_it_was(trained, jaxgen, capsys, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)

    def refused(*args, says):
        before = contents(folder)
        assert jaxgen("train", VAE, *SMALL, *args, "--run-dir", folder) == 2
        assert says in capsys.readouterr().err
        assert contents(folder) == before

    refused("--steps", 10, says="steps is 10 but the run is at step 20 already")
    refused("--steps", 50, "--steps-per-call", 25, says="--steps-per-call 25 does not divide step 20")
    refused("--mesh.tensor", 2, "--fresh", says="the experiment splits no array over tensor")
    for path in (folder / "checkpoints" / "20" / "state").rglob("d/*"):
        path.write_bytes(path.read_bytes()[:10])
    refused("--steps", 40, says="is whole (step 20:")


def test_a_second_command_in_the_folder_of_a_run_is_refused_while_the_first_is_at_work(trained, jaxgen, tmp_path):
    file, run = tmp_path / "vae.py", tmp_path / "run"
    shutil.copytree(trained[0], run)
    # The experiment's drawing gives the command once more.
    file.write_text(f"""{Path(VAE).read_text().replace("def experiment(", "def alone(")}
import pytest
from jaxgen import cli
from jaxgen.core import Drawing
from jaxgen.errors import UserError
from jaxgen.report.figure import new_figure
from jaxgen.shipped import find

def draw(arrays):
    with pytest.raises(UserError, match="run is being trained in by another process; wait until that has ended, or"):
        cli.run(["train", __file__, *{SMALL!r}, "--run-dir", {str(run)!r}, "--fresh"])
    return new_figure(1, 1)

def experiment(config):
    drawings = {{"refused": Drawing(lambda view: view.step, draw, lambda step: {{"drawn_at": step}})}}
    return dataclasses.replace(alone(config), drawings=drawings)
""")
    assert jaxgen("train", file, *SMALL, "--run-dir", run) == 0
    assert (run / "drawings" / "refused.png").exists()
    assert json.loads((run / "eval.json").read_text())["drawn"] == {"drawn_at": {"value": 20.0, "nulls": {}}}
    assert (run / "checkpoints" / "20").exists()


@pytest.mark.slow
def test_own_pictures_have_a_run_folder_of_their_own_and_once_changed_do_not_resume(
    jaxgen, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    for i in range(40):
        image = np.random.default_rng(i).integers(0, 256, (9, 11, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / "faces" / f"{i}.png")
    train = ["train", "vae", "--data", "faces", "--size", "8", "--steps", "10", "--hidden", "8", "--batch-size", "4"]
    assert jaxgen(*train) == 0
    (config,) = tmp_path.glob("runs/vae/faces-*/*/config.json")
    assert config.parent.name == "size=8,batch_size=4,hidden=8"
    settings = json.loads(config.read_text())
    assert settings["config"]["data"] == str(tmp_path / "faces")
    assert settings["fingerprint"]["files"] == 40
    monkeypatch.chdir("/")
    assert jaxgen(*train, "--data", str(tmp_path / "faces"), "--run-dir", config.parent) == 0
    shutil.copy(tmp_path / "faces" / "0.png", tmp_path / "faces" / "one more.png")
    capsys.readouterr()
    assert jaxgen(*train, "--data", str(tmp_path / "faces"), "--run-dir", config.parent) == 2
    said = capsys.readouterr().err
    assert "has changed (files: 40, now 41); put it back as it was" in said
    assert said.count("\n") == 1


def test_a_run_that_became_nan_has_a_report(jaxgen, capsys, tmp_path):
    assert jaxgen("train", VAE, *SMALL, "--learning-rate", "1e30", "--run-dir", tmp_path / "run") == 3
    assert "look at the curves" in capsys.readouterr().err
    assert "vae" in (tmp_path / "run" / "report.html").read_text()


def test_arrays_are_written_whole_or_not_at_all_and_where_they_were_asked_for(trained, jaxgen, capsys, disk, fill):
    folder, _ = trained
    out = disk / "samples.NPZ"
    assert jaxgen("sample", folder, "--count", 4, "--out", out) == 0
    before = out.read_bytes()
    fill(leave=4096)
    assert jaxgen("sample", folder, "--count", 64, "--out", out) == 2
    says = f"jaxgen: {out} cannot be written (No space left on device); make room or allow it.\n"
    assert capsys.readouterr().err == says
    assert out.read_bytes() == before
    assert {path.name for path in disk.iterdir()} == {"samples.NPZ", "filler"}
    (disk / "filler").unlink()
    (disk / "folder.npz").mkdir()
    assert jaxgen("sample", folder, "--out", disk / "folder.npz") == 2
    assert "folder.npz, which is a folder; name a file." in capsys.readouterr().err


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


def test_a_read_only_run_is_refused_before_anything_compiles_and_can_still_be_read(read_only, jaxgen, capsys, tmp_path):
    events = []
    jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: events.append(name))
    longer = ["--steps", "40", *SMALL[2:]]
    assert jaxgen("train", VAE, *longer, "--run-dir", read_only) == 2
    assert not [name for name in events if "backend_compile" in name]
    says = f"jaxgen: run folder {read_only} cannot be written (Read-only file system); name another with --run-dir.\n"
    assert capsys.readouterr().err == says
    assert jaxgen("train", VAE, *SMALL, "--run-dir", read_only, "--fresh") == 2
    assert "(Read-only file system)" in capsys.readouterr().err
    assert jaxgen("eval", read_only) == 2
    says = f"jaxgen: {read_only / 'eval.json'} cannot be written (Read-only file system); make room or allow it.\n"
    assert capsys.readouterr().err == says
    assert jaxgen("sample", read_only, "--out", tmp_path / "grid.png") == 0


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


def test_a_run_folder_may_not_bring_its_own_code(trained, jaxgen, capsys, tmp_path):
    folder = tmp_path / "run"
    subprocess.run(["cp", "-r", trained[0], folder], check=True)
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "file": str(folder / "evil.py")}))
    assert jaxgen("eval", folder) == 2
    assert "brings its own code" in capsys.readouterr().err


def test_a_method_that_draws_nothing_trains_without_pictures_and_says_so(jaxgen, capsys, tmp_path):
    file = tmp_path / "digits_mute.py"
    mute = "\n\ndef experiment(config):\n    one = with_samples(config)\n    return dataclasses.replace(one, method="
    source = Path(VAE).read_text().replace("def experiment(", "def with_samples(")
    file.write_text(f"{source}{mute}dataclasses.replace(one.method, latents=None))\n")
    run = tmp_path / "run"
    assert jaxgen("train", file, *SMALL, "--run-dir", run) == 0
    assert not list((run / "samples").iterdir())
    assert (run / "report.html").exists()
    capsys.readouterr()
    assert jaxgen("sample", run, "--out", tmp_path / "grid.png") == 2
    assert "this method draws no samples; look at its figures with `jaxgen eval`." in capsys.readouterr().err.replace(
        "\n", " "
    )
    assert not (tmp_path / "grid.png").exists()
