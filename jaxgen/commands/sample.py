"""`jaxgen sample RUN`: samples as a picture or as arrays, alone or in rows of related ones."""

import dataclasses
import functools
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import latents as moves
from jaxgen.commands.arguments import numbers, parse, positive
from jaxgen.commands.options import Sample
from jaxgen.commands.runs import Run
from jaxgen.console import Console
from jaxgen.core import Latents, View
from jaxgen.data.sound import from_mu_law
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.errors import UserError
from jaxgen.files import write_atomically
from jaxgen.metrics.memorization import nearest_neighbors
from jaxgen.quality.classifier import classifier
from jaxgen.quality.extractor import batch_size, see
from jaxgen.quality.measure import signed_images
from jaxgen.report.grid import has_picture, save_samples
from jaxgen.report.labels import Labels
from jaxgen.report.page import write_report
from jaxgen.report.sequences import as_symbols, as_text, as_wav
from jaxgen.training import process
from jaxgen.training.evaluate import compiled_on_view
from jaxgen.training.sharding import shardings_of

_CHUNK = 256  # samples decoded in one compiled call
_STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of an arithmetic's direction, along a row
_EXAMPLES = 5_000  # training examples, or samples, that classes' mean latents are taken over
_PAIRS = 4  # an example and what is made of it, in a row
_NEIGHBORS = 60_000  # training examples that neighbors are looked for among


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Sample, args, "jaxgen sample")
    options.check()
    options.apply()
    process.configure()
    process.check_devices()
    run = Run.open(options.run, options.mesh.make())
    samples, columns, labels = _Model(run, options).draw()
    if options.out.suffix.lower() == ".npz":
        content = io.BytesIO()
        np.savez_compressed(content, samples=samples)
        write_atomically(options.out, content.getvalue())
    elif options.out.suffix.lower() == ".txt":
        write_atomically(options.out, as_text(samples).encode())
    elif options.out.suffix.lower() == ".wav":
        write_atomically(options.out, as_wav(from_mu_law(as_symbols(samples, "sound")), options.rate))
    elif not has_picture(samples.shape):
        ends = ".txt or .npz" if samples.ndim == 2 else ".npz"
        raise UserError(
            f"samples of shape {list(samples.shape)} have no picture; give --out a name that ends in {ends}."
        )
    else:
        title = f"{run.settings['experiment']} at step {int(run.state.step)}: {labels.title}"
        save_samples(options.out, samples, columns=columns, labels=dataclasses.replace(labels, title=title))
    if options.out.parent == run.folder.drawings:
        write_report(run.folder.path)
    beside = " beside what is made of them" if options.examples else " beside their neighbors" * options.neighbors
    what = f"{len(samples) // 2 if beside else len(samples)} {'examples' if options.examples else 'samples'}{beside}"
    wrote = f"Wrote {what}, of step {int(run.state.step)}, to {options.out}"
    Console().print(wrote, markup=False, highlight=False, soft_wrap=True)


def _texts(values: Sequence[float]) -> list[str]:
    return [f"{value:.3g}" for value in values]


@dataclasses.dataclass(frozen=True)
class _Model:
    """A run and what is asked of it."""

    run: Run
    options: Sample

    def draw(self) -> tuple[np.ndarray, int | None, Labels]:
        """Samples `[count, ...]`, how many make a row if that matters, and what they are."""
        options = self.options
        if options.examples:
            title = f"examples of {options.examples}, and what is made of each"
            return self.beside_examples(), _PAIRS * 2, Labels(title, ("example", "made"))
        if options.arithmetic:
            rows = -(-options.count // len(_STRENGTHS))
            start = re.split(r"[+-]", options.arithmetic)[0]
            labels = [f"mean of {start}", *(f"a {start}" for _ in range(rows - 1))]
            title = f"{options.arithmetic}, from 0 to 1 times the way"
            return (
                self.decode(self.arithmetic(options.arithmetic)),
                len(_STRENGTHS),
                Labels(title, _texts(_STRENGTHS), labels),
            )
        if options.interpolate:
            columns = options.interpolate
            ends = [self.prior(columns, draw) for draw in (0, 1)]
            between = np.linspace(0, 1, columns).tolist()
            labels = Labels("interpolations from one latent to another", _texts(between))
            return self.decode(moves.sweep(between, moves.between, *ends)), columns, labels
        sweeps = {
            "temperature": lambda values, latents: moves.sweep(values, moves.scale, latents),
            "truncation": lambda values, latents: moves.truncations(values, latents, self.latents.truncated),
        }
        for name, sweep in sweeps.items():
            if values := positive(name, getattr(options, name)):
                swept = self.decode(sweep(values, self.prior(len(values))))
                if len(values) == 1:
                    return swept, None, Labels(f"{name} {values[0]:g}")
                return swept, len(values), Labels(f"{name} of one latent a row", _texts(values))
        if options.neighbors:
            pairs = self.beside_neighbors(self.decode(self.prior(1)))
            title = "samples, each beside the training image nearest to it"
            return pairs, min(8, len(pairs)), Labels(title, ("sample", "nearest"))
        classes = numbers("classes", options.classes)
        samples = self.decode(self.prior(1))
        return samples, len(classes) or None, Labels("samples", [f"class {number}" for number in classes])

    @property
    def latents(self) -> Latents:
        method = self.run.method
        if method.latents is None:
            raise UserError("this method draws no samples; look at its figures with `jaxgen eval`.")
        if method.latents.conditional and not self.options.examples:
            raise UserError(f"{method.name} makes its samples of examples; give some, as in --from test.")
        return method.latents

    def prior(self, columns: int, draw: int = 0) -> Any:
        """Latents for as many rows of so many columns as hold `count`."""
        rows = -(-self.options.count // columns)
        latents = self.latents.prior(jax.random.fold_in(jax.random.key(self.options.seed), draw), rows, None)
        classes = numbers("classes", self.options.classes)
        if not classes:
            return latents
        if not isinstance(latents, Mapping) or "label" not in latents:
            raise UserError("classes is given, but this model knows no classes; leave it out.")
        self.of_classes(classes, "classes")
        return {**latents, "label": jnp.resize(jnp.asarray(classes, latents["label"].dtype), (rows,))}

    def on_view(self, function: Any) -> Any:
        """`function(view, *arrays)`, compiled, of the run's state."""
        call = compiled_on_view(self.run.method, function, self.run.mesh, shardings_of(self.run.state))
        return functools.partial(call, self.run.state)

    def decode(self, latents: Any) -> np.ndarray:
        """Samples `[count, ...]` of latents, in chunks."""
        count = len(jax.tree.leaves(latents)[0])
        chunk = min(count, _CHUNK)

        def decode(view: View, latents: Any, key: jax.Array) -> jax.Array:
            return self.latents.decode(view, latents, key).astype(jnp.float32)

        call, chunks = self.on_view(decode), []
        for start in range(0, count, chunk):
            ids = np.minimum(np.arange(start, start + chunk), count - 1)
            key = jax.random.fold_in(jax.random.key(self.options.seed), start)
            chunks.append(jax.device_get(call(jax.tree.map(lambda x, ids=ids: x[ids], latents), key)))
        return np.concatenate(chunks)[:count]

    def of_classes(self, classes: Sequence[int], option: str) -> dict[int, dict[str, np.ndarray]]:
        """The training examples of each class, of the first 5,000."""
        train = self.run.stage.data.train
        examples = train[np.arange(min(_EXAMPLES, len(train)))]
        if "label" not in examples:
            raise UserError(f"{option} is given, but the examples of {train.name} have no label; leave it out.")
        found = {}
        for number in classes:
            ids = np.flatnonzero(examples["label"] == number)
            if len(ids) == 0:
                raise UserError(f"{option} names class {number}, which none of the training examples has.")
            found[number] = {field: values[ids] for field, values in examples.items()}
        return found

    def arithmetic(self, text: str) -> Any:
        """Rows from a class's mean latent, then from examples of the class, in the direction the other terms make."""
        terms = re.findall(r"([+-]?)(\d+)", text)
        signs, classes = [-1 if sign == "-" else 1 for sign, _ in terms], [int(number) for _, number in terms]
        latents = self.latents_of(classes)
        means = [moves.mean(latents[number]) for number in classes]
        rows = -(-self.options.count // len(_STRENGTHS))
        if (there := len(jax.tree.leaves(latents[classes[0]])[0])) < rows - 1:
            raise UserError(
                f"count {self.options.count} takes {rows - 1} latents of class {classes[0]}, of which there are "
                f"{there}; lower it to {(there + 1) * len(_STRENGTHS)}."
            )
        start = jax.tree.map(lambda mean, z: jnp.concatenate([mean, z[: rows - 1]]), means[0], latents[classes[0]])
        return moves.sweep(_STRENGTHS, moves.shift, start, moves.combine(signs[1:], means[1:]))

    def latents_of(self, classes: Sequence[int]) -> dict[int, Any]:
        """Latents of each class: of training examples where the model encodes, else of samples a classifier judges."""
        examples, mesh = self.of_classes(classes, "arithmetic"), self.run.mesh
        if self.latents.encode is not None:
            encode = self.on_view(self.latents.encode)
            return {number: encode(batch) for number, batch in examples.items()}
        size = batch_size(mesh)
        count = -(-_EXAMPLES // size) * size
        latents = self.latents.prior(jax.random.key(self.options.seed), count, None)
        if isinstance(latents, Mapping) and "label" in latents:
            raise UserError("arithmetic is given, but this model is told the class of what it draws; give --classes.")
        judge = classifier(signed_images(self.run.stage.data), Console())
        judged = see(judge, np.split(self.decode(latents), count // size), count, mesh).classes
        found = {}
        for number in classes:
            ids = np.flatnonzero(judged == number)
            if len(ids) == 0:
                raise UserError(f"arithmetic names class {number}, but {judge.name} finds none among {count} samples.")
            found[number] = jax.tree.map(lambda z, ids=ids: z[ids], latents)
        return found

    def beside_examples(self) -> np.ndarray:
        """Each example, then what the model makes of it."""
        batch = self.given()
        count = len(jax.tree.leaves(batch)[0])
        latents, key = self.latents, jax.random.key(self.options.seed)
        if latents.conditional:
            made = self.decode(self.on_view(lambda view, key, batch: latents.prior(key, count, batch))(key, batch))
        elif latents.encode is not None:
            made = self.decode(self.on_view(latents.encode)(batch))
        else:
            raise UserError(f"--from is given, but {self.run.method.name} has no latents of examples; leave it out.")
        shown = self.signed(batch) if latents.shown is None else latents.shown(batch)
        if shown.shape[1:] != made.shape[1:]:
            raise UserError(
                f"--from: examples are {list(shown.shape[1:])} and samples {list(made.shape[1:])}; use .npz."
            )
        return np.stack([np.asarray(shown, np.float32), made], axis=1).reshape(-1, *made.shape[1:])

    def signed(self, batch: Any) -> Any:
        """The images of a batch in [-1, 1], by what the data set declares of them."""
        data = self.run.stage.data
        source = Source(data.name, "examples", lambda: batch, lambda: Memory(batch), lambda: data.fields)
        return signed_images(Dataset(source, source)).test[np.arange(len(batch["image"]))]["image"]

    def given(self) -> Any:
        """The examples that --from names, a batch."""
        source, data = self.options.examples, self.run.stage.data
        if source in ("test", "train"):
            split = getattr(data, source)
            return jax.tree.map(np.asarray, split[np.arange(min(self.options.count, len(split)))])
        try:
            with np.load(source) as file:
                fields = dict(file)
        except (OSError, ValueError) as error:
            raise UserError(
                f"--from is {source!r}, which is neither test, train nor an .npz that can be read."
            ) from error
        for field, spec in data.spec.items():
            if field not in fields or fields[field].shape[1:] != spec.shape:
                raise UserError(f"--from: {source} needs a field {field} of shape [count, {str(list(spec.shape))[1:]}.")
        return {field: fields[field].astype(spec.dtype) for field, spec in data.spec.items()}

    def beside_neighbors(self, samples: np.ndarray) -> np.ndarray:
        """Each sample, then the training image nearest to it by Euclidean distance."""
        data = self.run.stage.data
        if "image" not in data.spec or data.spec["image"].shape != samples.shape[1:]:
            raise UserError(f"neighbors needs images, but samples have shape {list(samples.shape[1:])}; leave it out.")
        train = signed_images(data).train
        images = train[np.arange(min(_NEIGHBORS, len(train)))]["image"]
        _, nearest = jax.jit(nearest_neighbors)(*(x.reshape(len(x), -1) for x in (samples, images)))
        return np.stack([samples, images[np.asarray(nearest)]], axis=1).reshape(-1, *samples.shape[1:])
