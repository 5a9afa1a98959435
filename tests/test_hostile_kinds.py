"""Input from strangers, by kind, from a seeded generator: refused in one sentence; nothing is changed, nothing is run.

HOSTILE_SEED chooses the seed, which stands in the message of what fails: the workflow draws a fresh one. Kinds whose
damage may do no harm are read as they were, or refused.
"""

import contextlib
import io
import json
import os
import random
import shutil
import struct
import sys
import wave
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from jaxgen import cli
from jaxgen.codec import container
from jaxgen.data.lookup import named
from jaxgen.errors import UserError
from jaxgen.report import page
from jaxgen.rows import read_rows
from jaxgen.training.rollback import Rollbacks

SEED = int(os.environ.get("HOSTILE_SEED", 0))
EXPERIMENT = (Path(__file__).parent / "line_experiment.py").read_text()
STARTS = ("subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.startfile")
started = []  # programs that an input has started
sys.addaudithook(lambda event, args: started.append((event, args)) if event in STARTS else None)


def run(*args):
    """The command in this process: its exit code and what it complained of."""
    err, before = io.StringIO(), sys.argv
    sys.argv = ["jaxgen", *map(str, args)]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as s:
            cli.main()
    finally:
        sys.argv = before
    return s.value.code or 0, err.getvalue()


def read(action):
    """The same of a function of the library."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        try:
            action()
        except UserError as error:
            cli._say(error)
        except OSError as error:  # as the command line has it
            cli._say(cli._refused(error))
    return 2 * bool(err.getvalue()), err.getvalue()


def everything(data):
    for source in (data.train, data.test):
        source[np.arange(len(source))]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an experiment that is trusted, and a run of it."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "own.py").write_text(EXPERIMENT)
    assert run("train", folder / "own.py", "--run-dir", folder / "run")[0] == 0
    return folder


ODD = [None, True, -1, 1.5, "x", [], [[1]], {}, {"a": {"b": {}}}, 10**400, float("nan"), float("inf"), 1e308, 2**63]
LETTERS = "abz09 _-./'\"[]{}()*?$;&|\\é\u202e\u2028\x1b\x07\r\n\t\udcff"


def word(r, letters=LETTERS, most=20):
    return "".join(r.choice(letters) for _ in range(r.randint(1, most)))


def junk(r):
    """No number, no choice, no option."""
    return "z" + word(r)


def damaged(r, content):
    """A file's bytes, cut, flipped, exchanged or made up."""
    at = r.randrange(len(content))
    some = r.randbytes(r.randint(1, 40))
    return r.choice(
        [b"", content[:at], content[:at] + some, some, content[:at] + some + content[at + len(some) :], b"\0" * at,
         content[:at] + bytes([content[at] ^ (1 << r.randrange(8))]) + content[at + 1 :]]
    )  # fmt: skip


def tree(r, value):
    """JSON with one place exchanged, dropped or added."""
    if isinstance(value, dict) and value and r.random() < 0.8:
        key = r.choice(sorted(value))
        return {**value, key: tree(r, value[key])}
    if isinstance(value, list) and value and r.random() < 0.8:
        at = r.randrange(len(value))
        return [*value[:at], tree(r, value[at]), *value[at + 1 :]]
    return r.choice(ODD)


def commands(r, place, here):
    return lambda: run(junk(r), *(word(r) for _ in range(r.randrange(3))))


def options(r, place, here):
    return lambda: run(
        r.choice(["train", "bench"]), place / "own.py", f"--z{word(r, 'abc-')}", *[word(r)] * r.randrange(2)
    )


def values(r, place, here):
    option = r.choice(["--steps", "--hidden", "--seed-of", "--mesh.data", "--checkpoint-every", "--on-nonfinite"])
    return lambda: run("train", place / "own.py", option, junk(r), "--run-dir", here / "run")


def numbers(r, place, here):
    option = r.choice(["--steps", "--hidden", "--checkpoint-every", "--steps-per-call"])
    number = r.choice([0, -1, -(10 ** r.randint(1, 500)), 10 ** r.randint(64, 500), "nan", "inf", "1e3", "0x10", "1.5"])
    return lambda: run("train", place / "own.py", option, number, "--run-dir", here / "run")


def meshes(r, place, here):
    axis, number = (
        r.choice(["data", "fsdp", "tensor"]),
        r.choice([0, -r.randint(1, 99), r.randint(9, 10 ** r.randint(1, 400))]),
    )
    return lambda: run("train", place / "own.py", f"--mesh.{axis}", number, "--run-dir", here / "run")


def launches(r, place, here):
    given = {"--coordinator": r.choice([junk(r), f"host:{r.randint(2**16, 10**9)}", "host:0", "[:1", "h/:1"]),
             "--num-processes": r.choice([0, -1, 2, 10**30]), "--process-id": r.choice([-1, 2, 10**30])}  # fmt: skip
    chosen = r.sample(sorted(given), r.randint(1, 3))
    return lambda: run(
        "train", place / "own.py", *(x for k in chosen for x in (k, given[k])), "--run-dir", here / "run"
    )


def samples(r, place, here):
    option = r.choice(["--count", "--seed", "--interpolate", "--temperature", "--truncation", "--classes", "--stage"])
    return lambda: run(
        "sample", here / "none", option, r.choice([junk(r), 0, -1, 10**400, "nan"]), "--out", here / "a.npz"
    )


def experiment_paths(r, place, here):
    (here / "folder").mkdir(exist_ok=True)
    (here / "notes.txt").write_text("hello")
    path = r.choice([word(r), word(r) + ".py", here / "folder", here / "notes.txt", "x" * 5000, here / word(r), "\0"])
    return lambda: run(r.choice(["train", "bench", "compile"]), path)


def run_paths(r, place, here):
    (here / "folder").mkdir(exist_ok=True)
    path = r.choice([word(r), here / "folder", place / "own.py", "x" * 5000, here / word(r), place, "\0"])
    return lambda: run(
        *r.choice([["eval", path], ["sample", path], ["compress", path], ["decompress", path, here / "x"]])
    )


def configs(r, place, here):
    file = copied(place, here) / "config.json"
    config = json.loads(file.read_text())
    key = r.choice(["experiment", "file", "config", "started"])
    odd = [x for x in ODD if not isinstance(x, str)] if key != "config" else [x for x in ODD if x != {}]
    nested = {**config, "config": {**config["config"], r.choice(["hidden", "steps", "no field"]): r.choice(ODD[3:])}}
    shown = r.choice(
        [{**config, key: r.choice(odd)}, {k: v for k, v in config.items() if k != key}, nested, r.choice(ODD)]
    )
    garbage = r.choice(
        [b"", r.randbytes(50), b"[" * 50_000, file.read_bytes()[: r.randrange(200)], b"\xff" + file.read_bytes()]
    )
    file.write_bytes(garbage if r.random() < 0.4 else json.dumps(shown).encode())
    return lambda: run("eval", here / "run")


def checkpoints(r, place, here):
    steps = copied(place, here) / "checkpoints"
    for path in sorted(steps.rglob("*")):
        if path.is_file() and (path.name in ("_METADATA", "manifest.ocdbt", "metadata") or path.parent.name == "d"):
            path.write_bytes(r.choice([b"", r.randbytes(50), path.read_bytes()[: path.stat().st_size // 2]]))
    return lambda: run("eval", here / "run")


def links(r, place, here):
    folder, name = copied(place, here), r.choice(["config.json", ".lock", "checkpoints", "rollbacks.json"])
    target = r.choice(["/dev/full", "/proc/self/mem", here])
    path = folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(target)
    return lambda: run("train", place / "own.py", "--steps", "40", "--run-dir", folder)


def copied(place, here):
    shutil.rmtree(here / "run", ignore_errors=True)
    shutil.copytree(place / "run", here / "run")
    return here / "run"


def metrics(r, place, here):
    file = here / "metrics.jsonl"
    file.write_bytes(damaged(r, (place / "run" / "metrics.jsonl").read_bytes()))
    return lambda: read(lambda: read_rows(file))


def evaluations(r, place, here):
    whole = json.loads((place / "run" / "eval.json").read_text())
    text = json.dumps(tree(r, whole)).encode()
    (here / "eval.json").write_bytes(text if r.random() < 0.7 else damaged(r, text))

    def look():
        found = page.read_json(here, "eval.json") or {}
        page.figures(found.get("figures"))
        page.compared(found.get("samples"))

    return lambda: read(look)


def rollbacks(r, place, here):
    text = json.dumps(tree(r, [{"step": 10, "skipped": 5, "finding": "fit/loss is nan", "at": 12}])).encode()
    (here / "rollbacks.json").write_bytes(text if r.random() < 0.7 else damaged(r, text))
    return lambda: read(lambda: Rollbacks(here / "rollbacks.json"))


def encoded(r, kind, **options):
    out = io.BytesIO()
    PIL.Image.fromarray(np.frombuffer(r.randbytes(6 * 6 * 3), np.uint8).reshape(6, 6, 3)).save(out, kind, **options)
    return out.getvalue()


def pictures(r, place, here):
    for name in ("a", "b", "c"):
        (here / f"{name}.png").write_bytes(encoded(r, "PNG"))
    kind = r.choice(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "PPM", "BMP"])
    (here / "d.png").write_bytes(r.choice([damaged(r, encoded(r, kind)), promised(r), b"%!PS-Adobe-3.0 EPSF-3.0\n"]))
    return lambda: read(lambda: everything(named(str(here))))


def promised(r):
    """A PNG that promises what it does not hold."""
    sizes = [0, 1, 7, 2**15, 2**31 - 1, 2**32 - 1]
    header = struct.pack(
        ">IIBBBBB", r.choice(sizes), r.choice(sizes), r.choice([0, 1, 8, 16, 255]), r.randrange(8), 0, 0, 0
    )
    body = [(b"IHDR", header), (b"IDAT", zlib.compress(r.randbytes(r.randrange(300)))), (b"IEND", b"")]
    chunk = lambda kind, x: struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x))  # noqa: E731
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*x) for x in body)


def folders(r, place, here):
    for name in ("a.png", "b.png")[: r.randrange(3)]:
        (here / name).write_bytes(encoded(r, "PNG"))
    bad = here / r.choice(["c.png", "d.jpg", "sub/a.png"])
    bad.parent.mkdir(exist_ok=True)
    make = [
        lambda: bad.mkdir(),
        lambda: bad.symlink_to(here / "nowhere"),
        lambda: bad.symlink_to(bad),
        lambda: bad.touch(),
    ]
    r.choice(make)()
    if r.random() < 0.3:
        os.mkfifo(here / "pipe.png")
    return lambda: read(lambda: everything(named(str(here))))


def saved(r, save):
    out = io.BytesIO()
    arrays = [
        np.ones((4, 3)),
        np.ones((4, 3, 3), np.uint8),
        np.array(["a"]),
        np.array(1j),
        np.zeros(0),
        np.ones((1, 2)),
    ]
    save(out, r.choice(arrays))
    return out.getvalue()


def array_files(r, place, here):
    (here / "a.npy").write_bytes(damaged(r, saved(r, np.save)))
    return lambda: read(lambda: everything(named(str(here / "a.npy"))))


def archives(r, place, here):
    content = saved(r, lambda out, x: np.savez(out, **{r.choice(["images", "x", "labels", "faces", "../a"]): x}))
    (here / "a.npz").write_bytes(damaged(r, content) if r.random() < 0.7 else content)
    return lambda: read(lambda: everything(named(str(here / "a.npz"))))


def tables(r, place, here):
    rows = [[str(r.random()) for _ in range(3)] for _ in range(5)]
    bad = ["", "four", "nan", "inf", "1e999", "9" * 500, "1,2", '"', "\0", word(r), "0x1", "1 2", "--1"]
    rows[r.randrange(1, 5)][r.randrange(3)] = r.choice(bad)
    (here / "a.csv").write_bytes("\n".join(map(",".join, rows)).encode(errors="surrogateescape"))
    return lambda: read(lambda: everything(named(str(here / "a.csv"))))


def waves(r, place, here):
    out = io.BytesIO()
    with wave.open(out, "wb") as opened:
        opened.setparams((r.randint(1, 3), r.randint(1, 4), r.choice([1, 8000]), 0, "NONE", ""))
        opened.writeframes(r.randbytes(24 * r.randint(0, 20)))
    content = bytearray(out.getvalue())
    if r.random() < 0.5:  # a number in the header
        struct.pack_into(
            "<I", content, r.choice([4, 16, 20, 22, 24, 28, 32, 34, 40]), r.choice([0, 1, 7, 2**31, 2**32 - 1])
        )
    (here / "a.wav").write_bytes(content if r.random() < 0.5 else damaged(r, bytes(content)))
    return lambda: read(lambda: everything(named(str(here / "a.wav"), length=r.choice([8, 10**6]))))


def texts(r, place, here):
    (here / "a.txt").write_bytes(r.randbytes(r.randrange(200)))
    name, length = r.choice([("a.txt", None), ("a.txt", r.choice([0, -1, 10**6])), ("none.txt", 8), (".", 8), ("a", 8)])
    return lambda: read(lambda: everything(named(str(here / name), length=length)))


def other_names(r, place, here):
    name = r.choice(
        [word(r), "mnist2", "digitz", f"{word(r)}:{word(r)}", "../..//x", "con", "http://a/b.zip", "x" * 5000, "\0"]
    )
    return lambda: read(lambda: everything(named(name)))


def codecs(r, place, here):
    header = container.Header("autoregressive", "array", "ab", (2, 3), 4, 5, 60, {"jax": "1"})
    file = here / "a.jxg"
    with file.open("wb") as out:
        container.write_header(out, header)
        container.write_block(out, np.arange(3), np.arange(30))
        container.write_block(out, np.arange(3), np.arange(30))
    if r.random() < 0.5:
        text = json.dumps(tree(r, {**container.dataclasses.asdict(header), "event": [2, 3]})).encode()
        file.write_bytes(struct.pack("<8sHII", container.MAGIC, 1, len(text), zlib.crc32(text)) + text)
    else:
        file.write_bytes(damaged(r, file.read_bytes()))

    def look():
        with file.open("rb") as opened:
            list(container.read_blocks(opened, container.read_header(opened, file), file))

    return lambda: read(look)


def experiment_files(r, place, here):
    cut = EXPERIMENT[: r.randrange(len(EXPERIMENT) - 20)]
    token = r.choice(["import", "def", "return", "Config", "=", "(", ")", ":", "batch", "Experiment"])
    at = r.choice([i for i in range(len(EXPERIMENT)) if EXPERIMENT.startswith(token, i)])
    broken = EXPERIMENT[:at] + r.choice(["", word(r), "1", "()", "\0"]) + EXPERIMENT[at + len(token) :]
    (here / "own.py").write_bytes(r.choice([cut, broken, word(r)]).encode(errors="surrogateescape"))
    return lambda: run("train", here / "own.py", "--steps", "7", "--run-dir", here / "run")  # 7 is none of its tens


KINDS = [commands, options, values, numbers, meshes, launches, samples, experiment_paths, run_paths, configs,
         checkpoints, links, metrics, evaluations, rollbacks, pictures, folders, array_files, archives, tables,
         waves, texts, other_names, codecs,
         experiment_files]  # fmt: skip
MAY_SURVIVE = {metrics, evaluations, rollbacks, pictures, folders, array_files, archives, codecs, waves}
SLOW = {configs: 25, checkpoints: 10, links: 10}  # inputs of those that cost the most


def content(folder):
    """Every file and link of a folder, but for what Python compiles."""
    return {
        path: os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


def hold(kind, count, place, folder):
    refused = 0
    for number in range(count):
        r, here = random.Random(f"{SEED} {kind.__name__} {number}"), folder / str(number)
        here.mkdir()
        action = kind(r, place, here)
        before, _ = content(here), started.clear()
        code, err = action()
        what = f"HOSTILE_SEED={SEED} {kind.__name__} {number}: {code} {err}"
        assert code == 2 or (code == 0 and kind in MAY_SURVIVE), what
        assert err.count("\n") == (code == 2), what
        assert err.startswith("jaxgen: " if code else ""), what
        assert not set(err) & set("\x1b\x07\r\u202e\u2028"), what
        assert content(here) == before, what
        assert not started, (what, started)
        refused += code == 2
    assert refused >= count / 5 or kind is metrics, f"{kind.__name__}: {refused} of {count} are refused"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_strangers_input_is_one_sentence_and_changes_nothing(kind, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hold(kind, SLOW.get(kind, 25), place, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_much_of_strangers_input(kind, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hold(kind, 10 * SLOW.get(kind, 40), place, tmp_path)
