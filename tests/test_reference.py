"""The reference of every public name is written without a warning."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_a_reference_of_every_public_name_is_written_without_a_warning(tmp_path):
    done = subprocess.run([sys.executable, ROOT / ".ci" / "reference", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    pages = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.html")}
    assert {"index.html", "jaxgen.html", "jaxgen/losses/adversarial.html", "jaxgen/methods/latent/vae.html"} <= pages
    assert "jaxgen/commands.html" not in pages
    assert "Args" in (tmp_path / "jaxgen.html").read_text()  # of `fit`, which the package looks up when it is asked
