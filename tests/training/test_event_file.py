"""TensorBoard's event file holds what tensorboardX's own writer would have written."""

import os
import re
import socket
import struct
import subprocess
import sys

import numpy as np
import PIL.Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

from jaxgen.report.grid import save_png
from jaxgen.training.event_file import EventFile


def events(folder):
    """The events of the one file in a folder, without their times."""
    (path,) = folder.glob("events.out.tfevents.*")
    content, found = path.read_bytes(), []
    while content:
        length, check = struct.unpack("<QI", content[:12])
        assert check == masked_crc32c(content[:8])
        data, (check,) = content[12 : 12 + length], struct.unpack("<I", content[12 + length : 16 + length])
        assert check == masked_crc32c(data)
        event = Event.FromString(data)
        event.ClearField("wall_time")
        found.append(event)
        content = content[16 + length :]
    return found


def test_the_events_are_those_of_tensorboardx(tmp_path):
    row = {"step": 8, "critic/loss": 0.25, "images_per_second": 100.0}
    ours = tmp_path / "ours"
    ours.mkdir()
    file = EventFile(ours, 7)
    assert file.append(row) is None
    file.close()
    theirs = tmp_path / "theirs"
    with SummaryWriter(str(theirs), purge_step=8) as writer:
        for name in ("critic/loss", "images_per_second"):
            writer.add_scalar(name, row[name], 8)
    assert events(ours)[0].file_version == events(theirs)[0].file_version
    for field in ("session_log", "summary"):
        mine, other = ([event for event in events(folder) if event.HasField(field)] for folder in (ours, theirs))
        assert mine == other
        assert mine


def test_a_file_is_named_by_whole_seconds_and_the_host_and_each_has_a_name(tmp_path):
    for _ in range(3):
        EventFile(tmp_path).close()
    names = [path.name for path in tmp_path.iterdir()]
    pattern = rf"events\.out\.tfevents\.\d{{10}}\.{re.escape(socket.gethostname())}\.\d{{3}}\.{os.getpid()}"
    assert len(names) == 3
    assert all(re.fullmatch(pattern, name) for name in names)


def test_tensorboard_reads_scalars_pictures_and_settings_back(tmp_path):
    first = EventFile(tmp_path, 0)
    save_png(tmp_path / "samples.png", np.linspace(-1, 1, 64).reshape(1, 8, 8, 1))
    png = (tmp_path / "samples.png").read_bytes()
    assert first.settings({"rate": 0.5, "seed": 3, "loss": "hinge", "widths": [8, 4], "ema": None}) is None
    for step in (10, 20):
        assert first.append({"step": step, "elbo/loss": step / 4}) is None
        assert first.picture(step, png) is None
    first.close()
    beside = EventFile(tmp_path)  # declares nothing void
    beside.append({"step": 20, "held_out/bits_per_dim": 1.5})
    beside.close()
    read = EventAccumulator(str(tmp_path)).Reload()
    assert set(read.Tags()["scalars"]) == {"elbo/loss", "held_out/bits_per_dim"}
    assert [(event.step, event.value) for event in read.Scalars("elbo/loss")] == [(10, 2.5), (20, 5.0)]
    pictures = read.Images("samples")
    assert [(event.step, event.encoded_image_string) for event in pictures] == [(10, png), (20, png)]
    assert (pictures[0].width, pictures[0].height) == PIL.Image.open(tmp_path / "samples.png").size
    (content,) = read.PluginTagToContent("hparams").values()
    found = HParamsPluginData.FromString(content).session_start_info.hparams
    assert found["rate"].number_value == 0.5
    assert found["loss"].string_value == "hinge"
    assert found["widths"].string_value == "[8, 4]"
    assert found["ema"].string_value == "null"
    later = EventFile(tmp_path, 10)  # the run went back to step 10
    later.append({"step": 15, "elbo/loss": 9.0})
    later.close()
    read = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in read.Scalars("elbo/loss")] == [10, 15]
    assert [event.step for event in read.Images("samples")] == [10]


def test_an_installed_torch_is_not_imported_and_can_be_afterwards(tmp_path):
    (tmp_path / "torch.py").write_text("print('imported')")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import jaxgen.training.event_file; print('then'); import torch"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.split() == ["then", "imported"], done.stderr
