"""The walls: which part may import which, and that the package is light to import."""

import ast
import functools
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEAVES = {
    "errors",
    "rows",
    "console",
    "target",
    "parts",
    "loops",
    "files",
    "chips",
    "no_tpu",
    "closest",
    "settings",
    "linen",
    "fields",
    "shipped",
    "environment",
    "measured",
    "rounding",
}  # import nothing of jaxgen but one another; anyone may import them
ALLOWED = {
    "core": {"view", "figures"},
    "figures": {"view"},
    "view": set(),
    "latents": set(),
    "logic": set(),
    "likelihoods": {"losses"},
    "losses": set(),
    "layers": set(),
    "data": set(),
    "metrics": set(),
    "bijectors": {"layers"},
    "sampling": set(),
    "codec": {"core"},
    "models": {"layers", "bijectors", "losses"},
    "methods": {"core", "layers", "losses", "likelihoods", "sampling", "codec"},
    "training": {"core", "data"},
    "report": {"core"},
    "aot": {"training"},
    "experiment": {"core", "training", "data"},
    "quality": {"core", "data", "experiment", "losses", "methods", "metrics", "models", "training"},
    "commands": {
        "core",
        "training",
        "data",
        "report",
        "experiment",
        "aot",
        "latents",
        "metrics",
        "quality",
        "codec",
        "exported",
    },
    "exported": {"core", "training"},
    "cli": {"commands"},
    "__main__": {"cli"},
    "fitting": {"core", "data", "experiment", "training"},
    "__init__": {"commands", "core", "experiment", "fitting", "training"},
}
FILES = sorted((ROOT / "jaxgen").rglob("*.py"))


@functools.cache
def imports(path):
    """The modules a file imports anywhere in it, dotted."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    part = path.relative_to(ROOT / "jaxgen").with_suffix("").parts[0]
    allowed = LEAVES | ALLOWED.get(part, set()) | {part}
    used = {name.split(".")[1] for name in imports(path) if name.startswith("jaxgen.")}
    assert used <= allowed | {"__version__"}


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").rglob("*.py")), ids=lambda path: path.stem)
def test_experiments_import_no_commands_and_nothing_imports_them(path):
    assert not any(name.startswith(("jaxgen.commands", "jaxgen.cli")) for name in imports(path))
    assert not any(name.split(".")[0] == "experiments" for file in FILES for name in imports(file))


def test_the_top_level_holds_what_the_design_says():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {name.split("/")[0] for name in tracked.stdout.splitlines()}
    expected = {"pyproject.toml", "jaxgen", "experiments", "tests", "benchmarks", "README.md", "LICENSE"}
    assert {name for name in top if not name.startswith(".")} == expected


def test_help_imports_neither_jax_nor_tensorflow():
    code = "import sys; from jaxgen import cli; cli.run([]); print(sorted({'jax', 'tensorflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_no_part_imports_tensorflow():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES if path.name != "__main__.py"]
    code = f"import importlib, sys\nfor m in {modules}: importlib.import_module(m)\nprint('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


# What the engine's words were made for, each an algorithm in one file.
ALGORITHMS = (
    "adversarial/cyclegan",
    "adversarial/domain_adaptation",
    "adversarial/lazy",
    "adversarial/policy_gradient",
    "adversarial/ppo",
    "adversarial/progressive",
    "latent/vq_vae",
    "latent/wake_sleep",
)
SIZES = {f"methods/{name}.py": 80 for name in ALGORITHMS} | {"core.py": 100, "training/step.py": 120}


@pytest.mark.parametrize("name", list(SIZES))
def test_an_algorithm_is_a_page_of_code(name):
    """So many lines at most, without what says what they do."""
    assert lines_of_code((ROOT / "jaxgen" / name).read_text()) <= SIZES[name]


def lines_of_code(source):
    """Lines that are no docstring, comment or empty."""
    tree, lines = ast.parse(source), set()
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in silent:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)
