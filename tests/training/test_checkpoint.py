"""Checkpoints: whole, exact, verified; damage and full disks are survived."""

import contextlib
import shutil
import string

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.errors import UserError
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.sharding import make_mesh, replicated


@pytest.fixture
def written(regression, tmp_path):
    """A folder with checkpoints of steps 1 and 2, what step 2 holds, and the shapes to restore to."""
    trainer, _ = regression(features=4096)
    state = trainer.init()
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for step in (1, 2):
        state = state.replace(step=jnp.int32(step), nets=jax.tree.map(lambda x: x + 1, state.nets))
        checkpoints.save(state, "train")
    checkpoints.close()
    return tmp_path / "checkpoints", state, trainer.abstract_state()


def restore(folder, like, **options):
    """What is restored, and the sentences said on the way."""
    said = []
    with contextlib.closing(Checkpoints(folder, say=said.append, **options)) as checkpoints:
        restored = checkpoints.restore(lambda stage: like)
        return restored and restored.state, said


def save(folder, state):
    with contextlib.closing(Checkpoints(folder)) as checkpoints:
        checkpoints.save_and_wait(state, "train")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_restored_is_what_was_saved(written):
    folder, state, like = written
    restored, said = restore(folder, like)
    chex.assert_trees_all_equal(restored, state)
    chex.assert_trees_all_equal_dtypes(restored, state)
    assert said == []
    assert restore(folder.parent / "empty", like) == (None, [])


LEAVES = {
    "a key of noise": lambda: optax.add_noise(0.1, 0.5, 0).init({"w": jnp.ones(3)}),
    "a typed key": lambda: jax.random.key(7),
    "typed keys": lambda: jax.random.split(jax.random.key(7, impl="rbg"), 3),
    "no element": lambda: {"w": jnp.zeros((3, 0))},
    "an average of nothing": lambda: optax.adam(0.1).init({"w": jnp.zeros((0, 4)), "b": jnp.zeros(())}),
    "no leaf": lambda: optax.identity().init({"w": jnp.ones(3)}),
    "bits and bytes": lambda: {"a": jnp.array(True), "b": jnp.uint8(255), "c": jnp.bfloat16(1.5)},
    "whole numbers of few bits": lambda: {"a": jnp.arange(4, dtype=jnp.int4)},
}


@pytest.mark.parametrize("name", LEAVES)
def test_unusual_leaves_are_restored_as_they_were(name, regression, tmp_path):
    """FAULTS 13."""
    state = regression()[0].init()
    nets = {"line": state.nets["line"].replace(opt_state=LEAVES[name]())}
    state = state.replace(step=jnp.int32(3), nets=nets, memory={"kept": LEAVES[name]()})
    state = jax.device_put(state, replicated(make_mesh()))
    save(tmp_path / "checkpoints", state)
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)
    restored, said = restore(tmp_path / "checkpoints", like)
    chex.assert_trees_all_equal(restored, state)
    chex.assert_trees_all_equal_dtypes(restored, state)
    assert said == []


def test_a_folder_may_have_any_name_under_which_it_is_found_again(written, tmp_path):
    folder, state, like = written
    usual = "".join(char for char in string.punctuation if char not in "/[*?\\") + " ü"
    save(tmp_path / usual, state)
    chex.assert_trees_all_equal(restore(tmp_path / usual, like)[0], state)
    for char in "[*?\\":
        with pytest.raises(UserError, match="in its name, under which nothing can be saved; rename it"):
            save(tmp_path / f"a{char}b]", state)
        assert not (tmp_path / f"a{char}b]").exists()
    shutil.copytree(folder, tmp_path / "a[b]")  # what was written elsewhere is read
    chex.assert_trees_all_equal(restore(tmp_path / "a[b]", like, read_only=True)[0], state)


def test_a_flipped_bit_is_found(written):
    folder, state, like = written
    # Some bytes belong to no array: every single one must be found out, or change nothing.
    found = []
    for path in (folder / "2" / "state").rglob("d/*"):
        content = path.read_bytes()
        for position in range(0, len(content), max(1, len(content) // 8)):
            path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
            restored, said = restore(folder, like, read_only=True)
            if restored.step == 2:
                chex.assert_trees_all_equal(restored, state)
            found += said
        path.write_bytes(content)
    assert any("(its checksums do not match)" in sentence for sentence in found)  # what orbax itself lets pass
    chex.assert_trees_all_equal(restore(folder, like), (state, []))


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:10]),
    "emptied": lambda path: path.write_bytes(b""),
    "removed": lambda path: path.unlink(),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
}


@pytest.mark.quick("*-truncated", "*-flipped")
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("files", ["state/**/d/*", "state/_METADATA", "state/manifest.ocdbt", "checksums/metadata"])
def test_of_a_damaged_checkpoint_nothing_is_deleted_and_the_previous_serves(written, damage, files):
    folder, state, like = written
    for path in (folder / "2").glob(files):
        DAMAGE[damage](path)
    before = contents(folder / "2")

    assert restore(folder, like, read_only=True)[0].step == 1
    assert contents(folder / "2") == before
    restored, (sentence,) = restore(folder, like)
    assert restored.step == 1
    assert sentence.startswith(f"checkpoint {folder / '2'} is damaged (")
    assert sentence.endswith(") and moved to damaged; using step 1.")
    assert "\n" not in sentence
    assert contents(folder / "damaged" / "2.1") == before
    save(folder, state)
    chex.assert_trees_all_equal(restore(folder, like), (state, []))
    assert contents(folder / "damaged" / "2.1") == before


def test_a_half_deleted_checkpoint_is_no_obstacle(written):
    folder, state, like = written
    shutil.rmtree(folder / "2")
    (folder / "2").mkdir()
    assert restore(folder, like)[0].step == 1
    save(folder, state)
    chex.assert_trees_all_equal(restore(folder, like), (state, []))


def test_where_none_is_whole_nothing_starts_over_and_nothing_is_touched(written):
    folder, _, like = written
    for path in folder.glob("*/state/**/d/*"):
        path.write_bytes(b"")
    before = contents(folder)
    with pytest.raises(UserError, match=r"no checkpoint in .* is whole \(step 2: .*\); put a copy back") as caught:
        restore(folder, like)
    assert "\n" not in str(caught.value)
    assert contents(folder) == before


def test_other_networks_are_named(written, regression):
    folder, *_ = written
    trainer, _ = regression(features=3)
    with pytest.raises(UserError, match=r"nets/line/ema/bias is float32\[4096\] there and float32\[3\] here"):
        restore(folder, trainer.abstract_state())


def test_a_step_already_there_is_left_alone(written):
    folder, state, like = written
    save(folder, jax.tree.map(lambda x: x * 0 + 2, state))
    chex.assert_trees_all_equal(restore(folder, like), (state, []))


@pytest.mark.parametrize("leave", [0, 150_000])  # too little at once; too little in the middle of writing
def test_a_full_disk_is_said_and_loses_nothing(written, disk, fill, leave):
    _, state, like = written
    noise = np.random.default_rng(0)  # does not compress
    nets = jax.tree.map(lambda x: noise.normal(size=x.shape).astype(x.dtype), state.nets)
    state = jax.device_put(state.replace(nets=nets), jax.tree.map(lambda x: x.sharding, like))
    said = []
    with contextlib.closing(Checkpoints(disk / "checkpoints", say=said.append)) as checkpoints:
        checkpoints.save_and_wait(state, "train")
        fill(leave)
        later = [state.replace(step=state.step + n) for n in range(1, 4)]
        checkpoints.save(later[0], "train")
        checkpoints.wait()
        assert len(said) == 1
        assert said[0].startswith(f"no checkpoint of step 3 could be written to {disk / 'checkpoints'}: ")
        assert said[0].endswith("training goes on, and tries again at the next.")
        with pytest.raises(UserError, match="no checkpoint of step 4 could be written .* free some space"):
            checkpoints.save_and_wait(later[1], "train")
        chex.assert_trees_all_equal(restore(disk / "checkpoints", like), (state, []))
        (disk / "filler").unlink()
        checkpoints.save_and_wait(later[2], "train")
    assert {path.name for path in (disk / "checkpoints").iterdir()} == {"2", "5"}
    chex.assert_trees_all_equal(restore(disk / "checkpoints", like), (later[2], []))


def test_the_newest_are_kept(regression, tmp_path):
    trainer, _ = regression()
    state = trainer.init()
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in range(4):
        checkpoints.save(state.replace(step=jnp.int32(step)), "train")
    checkpoints.close()
    assert {path.name for path in tmp_path.iterdir()} == {"2", "3"}  # and no trash
    assert np.all(restore(tmp_path, trainer.abstract_state())[0].step == 3)


def test_a_reader_leaves_a_living_run_alone(written):
    folder, state, like = written
    half_written, discarded = folder / "3.orbax-checkpoint-tmp", folder / "trash" / "0"
    half_written.mkdir()
    discarded.mkdir(parents=True)
    chex.assert_trees_all_equal(restore(folder, like, read_only=True), (state, []))
    assert half_written.exists()
    assert discarded.exists()
    Checkpoints(folder).close()
    assert not half_written.exists()
    assert not discarded.exists()


def test_the_best_outlasts_the_newest_and_what_is_damaged_of_it_is_no_obstacle(regression, tmp_path):
    trainer, _ = regression()
    state, like = trainer.init(), trainer.abstract_state()
    scores = {1: 0.5, 2: 2.0, 3: 2.0, 4: None, 5: 1.0}  # the first of equals is the best
    with contextlib.closing(Checkpoints(tmp_path, keep=2)) as checkpoints:
        for step, score in scores.items():
            checkpoints.save(state.replace(step=jnp.int32(step)), "train", score)
        assert [checkpoints.is_best("train", score) for score in (None, 1.9, 2.0, 2.1)] == [False, False, False, True]
    assert {path.name for path in tmp_path.iterdir()} == {"2", "4", "5"}

    def best():
        said = []
        with contextlib.closing(Checkpoints(tmp_path, read_only=True, say=said.append)) as checkpoints:
            assert checkpoints.restore(lambda stage: like).state.step == 5
            return (
                checkpoints.best_step("train"),
                int(checkpoints.restore_best(lambda stage: like).state.step),
                len(said),
            )

    assert best() == (2, 2, 0)
    for path in (tmp_path / "2" / "state").rglob("d/*"):
        path.write_bytes(path.read_bytes()[:10])
    assert best() == (2, 5, 1)
    for step in ("2", "5"):
        (tmp_path / step / "score" / "metadata").write_bytes(b'{"sc')
    assert best() == (None, 5, 0)
