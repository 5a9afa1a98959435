"""README's code runs as printed, and its commands name things that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = ["README.md", "jaxgen/README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_runs(page):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})


def test_every_path_exists():
    root = Path(__file__).parent.parent
    named = re.findall(r"\b((?:experiments|jaxgen|benchmarks|tests|\.ci)/[\w./]+\.\w+)", README)
    assert named
    for path in named:
        assert (root / path).exists(), path
