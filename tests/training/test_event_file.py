"""TensorBoard's event file holds what tensorboardX's own writer would have written."""

import struct
import subprocess
import sys

from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

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


def test_an_installed_torch_is_not_imported_and_can_be_afterwards(tmp_path):
    (tmp_path / "torch.py").write_text("print('imported')")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import jaxgen.training.event_file; print('then'); import torch"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.split() == ["then", "imported"], done.stderr
