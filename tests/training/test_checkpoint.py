"""Checkpoints: whole, exact, verified; damage and full disks are sentences."""

import shutil
import subprocess

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.training.checkpoint import Checkpoints


@pytest.fixture
def written(regression, tmp_path):
    """A folder with checkpoints of steps 1 and 2, what step 2 holds, and the shapes to restore to."""
    trainer, _ = regression(features=4096)
    state = trainer.init()
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for step in (1, 2):
        state = state.replace(step=jnp.int32(step), nets=jax.tree.map(lambda x: x + 1, state.nets))
        checkpoints.save(state)
    checkpoints.close()
    return tmp_path / "checkpoints", state, trainer.abstract_state()


def restore(folder, like):
    checkpoints = Checkpoints(folder)
    try:
        return checkpoints.restore(like)
    finally:
        checkpoints.close()


def test_what_is_restored_is_what_was_saved(written):
    folder, state, like = written
    restored = restore(folder, like)
    chex.assert_trees_all_equal(restored, state)
    chex.assert_trees_all_equal_dtypes(restored, state)


def test_a_flipped_bit_is_found(written):
    folder, state, like = written
    # Some bytes belong to no array: every single one must be found out, or change nothing.
    found = []
    for path in (folder / "2" / "state").rglob("d/*"):
        content = path.read_bytes()
        for position in range(0, len(content), max(1, len(content) // 8)):
            path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
            try:
                chex.assert_trees_all_equal(restore(folder, like), state)
            except UserError as error:
                assert f"checkpoint {folder / '2'}" in str(error)
                assert "move that folder away to continue from step 1" in str(error)
                found.append(str(error))
        path.write_bytes(content)
    assert any("its checksums do not match" in sentence for sentence in found)  # what orbax itself lets pass
    chex.assert_trees_all_equal(restore(folder, like), state)


@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_missing_bytes_are_a_sentence_and_the_previous_checkpoint_still_serves(written, damage):
    folder, _, like = written
    for path in (folder / "2" / "state").rglob("d/*"):
        path.write_bytes(path.read_bytes()[:10]) if damage == "truncate" else path.unlink()
    with pytest.raises(UserError, match="cannot be read .* move that folder away to continue from step 1") as caught:
        restore(folder, like)
    assert "\n" not in str(caught.value)
    (folder / "2").rename(folder.parent / "aside")
    assert restore(folder, like).step == 1


def test_other_networks_are_named(written, regression):
    folder, *_ = written
    trainer, _ = regression(features=3)
    with pytest.raises(UserError, match=r"nets/line/ema/bias is float32\[4096\] there and float32\[3\] here"):
        restore(folder, trainer.abstract_state())


def test_a_step_already_there_is_left_alone(written):
    folder, state, like = written
    checkpoints = Checkpoints(folder)
    checkpoints.save(jax.tree.map(lambda x: x * 0 + 2, state))
    checkpoints.close()
    chex.assert_trees_all_equal(restore(folder, like), state)


def test_a_full_disk_is_a_sentence_and_loses_nothing(written, tmp_path):
    _, state, like = written
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        checkpoints = Checkpoints(disk / "checkpoints")
        checkpoints.save(state)
        checkpoints.wait()
        (disk / "filler").write_bytes(b"0" * 4096 * ((shutil.disk_usage(disk).free // 4096) - 1))
        with pytest.raises(UserError, match=r"no checkpoint could be written .* free some space"):
            checkpoints.save(state.replace(step=state.step + 1))
            checkpoints.wait()
        (disk / "filler").unlink()
        chex.assert_trees_all_equal(restore(disk / "checkpoints", like), state)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_the_newest_are_kept(regression, tmp_path):
    trainer, _ = regression()
    state = trainer.init()
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in range(4):
        checkpoints.save(state.replace(step=jnp.int32(step)))
    checkpoints.close()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.isdigit()) == ["2", "3"]
    assert np.all(restore(tmp_path, trainer.abstract_state()).step == 3)


def test_a_reader_leaves_a_living_run_alone(written):
    folder, state, like = written
    half_written, discarded = folder / "3.orbax-checkpoint-tmp", folder / "trash" / "0"
    half_written.mkdir()
    discarded.mkdir(parents=True)
    reader = Checkpoints(folder, read_only=True)
    chex.assert_trees_all_equal(reader.restore(like), state)
    reader.close()
    assert half_written.exists()
    assert discarded.exists()
    Checkpoints(folder).close()
    assert not discarded.exists()
