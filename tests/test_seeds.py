"""`jaxgen train --seeds`: as many runs as if each had been asked for alone, of one compiled step."""

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

import jaxgen as package
from jaxgen.commands.train import _longer
from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find

VAE = find("vae")
SMALL = {"steps": 20, "hidden": 8, "latent_size": 2, "batch_size": 32}
ARGS = [VAE, *(word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", value))]


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """How many programs have been compiled so far that were not in the compilation cache, empty at first."""
    count = 0

    def listen(event, **_):
        nonlocal count
        count += event == "/jax/compilation_cache/cache_misses"

    folder = str(tmp_path / "cache")
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", folder)
    jax.config.update("jax_compilation_cache_dir", folder)
    compilation_cache.reset_cache()
    jax.monitoring.register_event_listener(listen)
    yield lambda: count
    jax.monitoring.unregister_event_listener(listen)
    jax.config.update("jax_compilation_cache_dir", before)
    compilation_cache.reset_cache()


@pytest.mark.slow
def test_seeds_are_ordinary_runs_of_one_compiled_step_and_end_in_a_table(jaxgen, compiled, tmp_path, capsys):
    runs = tmp_path / "runs"
    assert jaxgen("train", *ARGS, "--seeds", "2", "--run-dir", runs) == 0
    first = compiled()
    assert first > 10
    capsys.readouterr()
    assert jaxgen("train", *ARGS, "--seeds", "0,2", "--run-dir", runs) == 0
    assert compiled() <= first + 1  # the seed's own keys
    said = capsys.readouterr().out
    assert said.count("Resuming at step 20 of 20") == 1  # the run of seed 2 is there
    assert said.count("seed 0 ┃ seed 2 ┃") == 1
    file = ExperimentFile.load(VAE)
    method, data = (getattr(file.build(file.config(**SMALL)), name) for name in ("method", "data"))
    for seed in (0, 2):
        alone, _ = package.fit(method, data, steps=20, key=jax.random.key(seed), batch_size=32, steps_per_call=10)
        run = package.load_run(runs / f"seed={seed}").state
        jax.tree.map(np.testing.assert_array_equal, alone, run)


def test_what_is_said_to_go_on_for_longer_asks_for_more_than_there_was():
    config = {"steps": 20, "seed": 0}
    for given in (["--steps", "20"], ["--steps=20"], []):
        longer = _longer(["a vae.py", *given, "--hidden", "8", "--fresh"], config)
        assert longer == "jaxgen train 'a vae.py' --hidden 8 --steps 40"
    assert _longer(["a.py"], {"seed": 0}) == ""  # an experiment without such a setting
