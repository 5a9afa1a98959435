"""What the pages show runs as printed, and what they name is there."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tyro
import yaml

from jaxgen import cli, shipped

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for pattern in ("README.md", "[!.]*/README.md", "experiments/*/README.md", ".github/*.md")
    for path in sorted(ROOT.glob(pattern))
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
STANDS_FOR = {"NAME": "dcgan", "RUN": "run", "FILE": "file", "FOLDER": "folder", "./mine.py": "vae"}
OF_OTHERS = ("sbatch", "docker", "gcloud", "kubectl", "ruff", "pyright", "pytest", "bash", "python3.12")


LONG = ("lax.scan", "def experiment(")  # what trains for long, or by the command
PYTHON = [
    pytest.param(
        page,
        text,
        id=f"{page}, block {number}",
        marks=[pytest.mark.slow] if any(word in text for word in LONG) else [],
    )
    for page, content in PAGES.items()
    for number, (language, text) in enumerate(BLOCK.findall(content))
    if language == "python"
]


def commands():
    """Every command in blocks and in the text, as its words, without the variables that are set before it."""
    found = []
    for content in PAGES.values():
        blocks = [text for language, text in BLOCK.findall(content) if not language]
        lines = [line for text in blocks for line in text.replace("\\\n", " ").splitlines()]
        inline = re.findall(r"`([^`]+)`", BLOCK.sub("", content).replace("\n", " "))
        lines += [code for code in inline if re.match(r"(?:\w+=\S+ )*(?:jaxgen|python|pip|\.ci/\w+) ", code)]
        for command in (part for line in lines for part in line.split(" && ")):
            words = shlex.split(command, comments=True)
            while words and re.match(r"[A-Z_]+=", words[0]):
                del words[0]
            if words and words not in found and not words[0].startswith("@"):
                found.append(words)
    return found


class ReadError(Exception):
    """Where a command has been read, and nothing done yet."""


def check(words, monkeypatch):
    """Refuses what is no command, or one with arguments that do not fit."""
    program, *rest = (STANDS_FOR.get(word, word) for word in words)
    if program == "jaxgen" and len(rest) == 1:
        assert rest[0] in cli._COMMANDS
    elif program == "jaxgen":

        def read(*args, **kwargs):
            original(*args, **kwargs)
            raise ReadError

        original = tyro.cli
        monkeypatch.setattr(tyro, "cli", read)
        with pytest.raises((ReadError, SystemExit)) as done:
            cli.run(rest)
        assert not getattr(done.value, "code", 0)  # which is that of `--help`
    elif program.endswith("pip"):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert rest[0] == "install"
        assert set(re.findall(r"\.\[(\w+)\]", " ".join(rest))) <= set(project["optional-dependencies"])
    elif program == "python" and rest[0] not in ("-c", "-m"):
        assert (ROOT / rest[0]).is_file()
    elif program.startswith(".ci/"):
        assert (ROOT / program).is_file()
    else:
        assert program in ("python", *OF_OTHERS)


@pytest.mark.parametrize(("page", "text"), PYTHON)
def test_every_python_block_runs(page, text, tmp_path, jaxgen):
    if "def experiment(" in text:
        file = tmp_path / "mine.py"
        file.write_text(text)
        assert jaxgen("train", file, "--steps", 2, "--run-dir", tmp_path / "run") == 0
    else:
        exec(compile(text, page, "exec"), {"__name__": "block"})


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words in commands()])
def test_every_command_can_be_read(words, monkeypatch):
    check(words, monkeypatch)


def test_what_is_no_command_is_found(monkeypatch):
    from jaxgen.errors import UserError

    for words in ("jaxgen train vae --stepz 3", "jaxgen train no_such_model", "jaxgen sample RUN --number 3"):
        with monkeypatch.context() as patch, pytest.raises((UserError, AssertionError)):
            check(words.split(), patch)
    for words in ("pip install .[nothing]", "python benchmarks/nothing.py", "make install"):
        with pytest.raises(AssertionError):
            check(words.split(), monkeypatch)


BENCHMARKS = [words[1:] for words in commands() if words[0] == "python" and words[1].startswith("benchmarks/")]


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted({words[0] for words in BENCHMARKS}))
def test_every_benchmark_has_the_options_that_are_named(script):
    given = {word for words in BENCHMARKS if words[0] == script for word in words if word.startswith("--")}
    done = subprocess.run([sys.executable, ROOT / script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert given <= set(re.findall(r"--[\w-]+", done.stdout))


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_link_of_a_page_is_there(page):
    folder = (ROOT / page).parent
    for link in re.findall(r"\]\(([^)]+)\)", BLOCK.sub("", PAGES[page])):
        path, _, heading = link.partition("#")
        if path.startswith("https:"):
            continue
        target = (folder / path).resolve() if path else ROOT / page
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings], link
    for path in re.findall(r"`((?:experiments|jaxgen|benchmarks|tests|\.ci)/[\w./-]+)`", PAGES[page]):
        assert (ROOT / path).exists(), path


SHIPPED = {path.stem for path in shipped.folder().glob("*/*.py")}


def trained(content):
    """What tables have to follow `jaxgen train`: experiments, and options alone, which are of the row's experiment.

    The first column of a table of experiments has nothing else.
    """
    found, row, heading = [], [], None
    for line in content.splitlines():
        if not line.startswith("|"):
            row, heading = [], None
            continue
        first, *others = re.split(r"(?<!\\)\|", line)[1:-1]
        heading = heading or first.strip()
        row = [] if first.strip() else row
        for number, cell in enumerate((first, *others)):
            for words in map(str.split, re.findall(r"`([^`]+)`", cell)):
                if words[0] in SHIPPED or (heading == "experiment" and number == 0):
                    found.append(words)
                    row = words if number == 0 else row
                elif words[0].startswith("--") and row:
                    found.append([*row, *words])
    return [list(words) for words in dict.fromkeys(map(tuple, found))]


def test_every_experiment_in_a_table_is_one_and_has_the_options(monkeypatch):
    for words in trained("\n\n".join(PAGES.values())):
        if words[0] not in SHIPPED or words[1:]:  # what is shipped can be trained: other tests do
            with monkeypatch.context() as patch:
                check(["jaxgen", "train", *words], patch)


def test_options_in_a_row_are_of_its_experiment():
    table = "| experiment | held against |\n|---|---|\n| `vea` | `vae` |\n"
    table += (
        "| `vae --data mnist` | `--steps 3`, `gzip -9`, `glow --steps 4` |\n|  | `--hidden 2` |\n| x | `--steps 5` |"
    )
    rows = [
        "vea",
        "vae",
        "vae --data mnist",
        "vae --data mnist --steps 3",
        "glow --steps 4",
        "vae --data mnist --hidden 2",
    ]
    assert trained(table) == [row.split() for row in rows]


def test_the_first_page_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 150


def test_the_workflow_runs_what_a_newcomer_runs_on_every_python_there_are_constraints_for():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    versions = job["strategy"]["matrix"]["python"]
    assert sorted(versions) == sorted(path.stem.split("-")[1] for path in (ROOT / ".ci").glob("constraints-*.txt"))
    (command,) = [step["run"] for step in job["steps"] if "run" in step]
    assert (ROOT / command.split()[0]).is_file()
    for form in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"):
        body = yaml.safe_load(form.read_text())["body"]
        assert all(part["attributes"]["label"] and part["type"] in ("textarea", "input") for part in body)
