"""README's code runs as printed, and its commands name things that exist."""

import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_every_python_block_runs():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_every_path_exists():
    root = Path(__file__).parent.parent
    named = re.findall(r"\b((?:experiments|jaxgen|benchmarks|tests|\.ci)/[\w./]+\.\w+)", README)
    assert "experiments/digits_dcgan.py" in named
    for path in named:
        assert (root / path).exists(), path
