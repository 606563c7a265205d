"""Use of a part as core uses it, with results that can be compared."""

from __future__ import annotations

import contextlib
import io
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from seqgen.errors import one_line, short_repr
from seqgen.metrics import METRICS, Evaluation
from seqgen.plugin_guards import takes_training
from seqgen.specs import CorpusSpec
from seqgen.testing.check import Subject
from seqgen.testing.registry import find_spec

HOSTILE = (
    "\x00", "a\x00b", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\r", "\n", "a\r\nb", "\t", " ", "\x7f", "\x9b1m",
    "\ud800", "a\udfffb", "\u202eabc", "\ufeff", "\u2028", "[bold]x[/bold]", "[/]", "\\", "%s{0}", "\U0010ffff",
    "x" * 10_000, "(" * 10_000, "é" * 10_000,
)  # fmt: skip
"""Strings that a model may generate: control characters, lone surrogates, markup, very long texts."""

AUGMENTATION_SEEDS = range(10)
"""Seeds of the random numbers of augmentations: a branch may be taken now and then only."""
_RECORDS, _FEW_RECORDS = 100, 8
_MOST_REPEATS = 9  # of a character
_calls = itertools.count()
_records_read: dict[int, tuple[CorpusSpec, list[str]]] = {}  # holds each spec too, so that no other gets its id


def sample_evaluation(texts: Sequence[str] = ("Ada", "Grace")) -> Evaluation:
    """Return an evaluation with a value for every metric.

    Args:
        texts: its samples, held-out records, names and notes.
    """
    text = " ".join(texts)
    values: dict[str, Any] = {
        name: text if info.unit == "text" else 20 if info.unit == "count" else 0.25 for name, info in METRICS.items()
    }
    beside = [f"{name}{end}" for name in ("nearest_mean", "shared_mean_chars") for end in ("_chance", "_low", "_high")]
    values |= dict.fromkeys(beside, 0.5) | {"notes": [text], "own.metric": 0.5}
    values["published"] = {"own": {f"a model {text}": {"metric": 0.75}}}
    return Evaluation(
        metrics=values,
        labels={"own.metric": f"own: {text}"},
        settings={"corpus": {"title": text}, "cell": {"name": "classic:gru", "options": {}}, "n_parameters": 100},
        history=[{"step": step, "train_loss_nats": 2.0, "valid_loss_nats": 2.5} for step in (10, 20)],
        rows=[{"text": one, "cut": False, "bits_per_char": None, "where": None} for one in texts],
        samples=texts,
        held_out=texts,
    )


def exercise(subject: Subject, *, times: int = 1) -> list[Any]:
    """Build the part, use it so often, and return the results of the last time; some kinds are used once."""
    if use := _USES.get(subject.spec.kind):
        part = subject.build()
        return [use(subject, part) for _ in range(times)][-1]
    return _EXERCISES[subject.spec.kind](subject)


def compute_metric(metric: Any, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float | None]:
    """Return the values of a metric, with training records if it has a parameter for them."""
    given = {"training": tuple(reference)} if takes_training(metric) else {}
    found: Mapping[str, float | None] = metric(samples, reference, **given)
    return found


def printed(renderable: Any, *, width: int = 80) -> str:
    """Return the text that rich prints without colours."""
    from rich.console import Console

    file = io.StringIO()
    Console(file=file, width=width, color_system=None, legacy_windows=False).print(renderable)
    return file.getvalue()


def must_not_raise(use: Callable[[str], Any]) -> None:
    """Call a function on hostile strings; raise AssertionError if it raises."""
    for text in HOSTILE:
        try:
            use(text)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(
                f"raises {type(error).__name__} on {short_repr(text)}: {one_line(error, 100)}"
            ) from error


def _corpus(subject: Subject) -> list[Any]:
    return list(itertools.islice(subject.build(), _RECORDS))


def _tokenizer(subject: Subject) -> list[Any]:
    tokenizer = subject.spec.resolve().fit(subject.texts, **subject.entry.options(subject.options))
    return [list(tokenizer.encode(text)) for text in subject.texts] + [tokenizer.to_json()]


def _layer(subject: Subject) -> list[Any]:
    import torch

    from seqgen.testing.layers import layer_of

    state = torch.get_rng_state()
    layer = layer_of(subject)
    x = layer.inputs()
    torch.set_rng_state(state)  # initialising weights uses random numbers, as it should
    with torch.no_grad():
        return [layer.run(x)[0].tolist()]


def _validator(subject: Subject, validator: Any) -> list[Any]:
    return [validator.validate(text) for text in (*subject.texts, *records_of(subject))]


def few_records_of(subject: Subject) -> list[str]:
    """Return the first records that ``records_of`` yields: those of some domains are long."""
    return list(itertools.islice(records_of(subject), _FEW_RECORDS))


def records_of(subject: Subject) -> Iterator[str]:
    """Yield records of corpora of the same plugin whose domain has this validator or metric."""
    name, is_metric = subject.spec.name, subject.spec.kind == "metric"
    for corpus in subject.siblings:
        if isinstance(corpus, CorpusSpec) and corpus.domain is not None and not corpus.network:
            domain = find_spec("domain", corpus.domain, subject.siblings)
            if domain is not None and (name in domain.metrics if is_metric else domain.validator == name):
                with contextlib.suppress(Exception):  # the checks of the corpus report that
                    yield from _first_records(corpus)


def _first_records(corpus: CorpusSpec) -> list[str]:
    """Return the first records of a corpus, read once for all checks: some corpora read everything before the first."""
    known = _records_read.get(id(corpus))
    if known is None:
        records = [record.text for record in itertools.islice(Subject(corpus, {}).build(), _RECORDS)]
        records = [text for text in records if isinstance(text, str)]
        known = _records_read[id(corpus)] = (corpus, records)
    return known[1]


def unseen_texts(subject: Subject) -> list[str]:
    """Return a variant of each text and of some records, another one at each call in a process.

    Two characters are exchanged, and one is written twice: a variant is often valid where its text is.
    """
    random, found = Random(next(_calls)), list[str]()
    for text in filter(None, (*subject.texts, *few_records_of(subject))):
        one, other, twice = (random.randrange(len(text)) for _ in range(3))
        characters = list(text)
        characters[one], characters[other] = characters[other], characters[one]
        characters[twice] *= random.randint(2, _MOST_REPEATS)
        found.append("".join(characters))
    return found


def _metric(subject: Subject, metric: Any) -> list[Any]:
    texts = [*subject.texts, *few_records_of(subject)]
    return [repr(dict(compute_metric(metric, texts, texts)))]


def _renderer(subject: Subject, render: Any) -> list[Any]:
    return [printed(render(text)) for text in subject.texts]


def _processor(subject: Subject, process: Any) -> list[Any]:
    import torch

    logits_BV = torch.linspace(-3, 2, 36).view(4, 9).sin()
    ids_BT = torch.arange(20).view(4, 5) % 6 + 3
    return [process(logits_BV, ids_BT).tolist()]


def _augmentation(subject: Subject, augment: Any) -> list[Any]:
    return [augment(text, Random(seed)) for text in subject.texts for seed in AUGMENTATION_SEEDS]


def written_files(report: Any, evaluation: Evaluation) -> dict[str, bytes]:
    """Return the content of the files that a report writes into a new folder, by name."""
    with tempfile.TemporaryDirectory() as folder:
        files = report.write(evaluation, Path(folder) / "report")
        assert isinstance(files, list | tuple) and files, (
            f"write returns {short_repr(files)}, not a list of the files written"
        )
        names = {Path(file).name for file in files if isinstance(file, str | Path)}
        found = {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}
        assert names == found.keys(), f"write returns {sorted(names)} and writes {sorted(found)}"
        return found


def _report(subject: Subject) -> list[Any]:
    return [written_files(subject.build(), sample_evaluation())]


def _exporter(subject: Subject) -> list[Any]:
    from seqgen.testing.exporters import exported

    return [exported(subject.entry.use(subject.options))[1]]


def opened(subject: Subject) -> Any:
    """Return an executor of two workers as a context manager."""
    return subject.entry.build(subject.options, 2)


def _executor(subject: Subject) -> list[Any]:
    with opened(subject) as executor:
        return [executor.submit(len, "abc").result()]


def _reader(subject: Subject) -> list[Any]:
    from seqgen.testing.readers import example_of, read_content

    return read_content(subject, example_of(subject))


_EXERCISES: dict[str, Callable[[Subject], list[Any]]] = {
    "corpus": _corpus,
    "tokenizer": _tokenizer,
    "cell": _layer,
    "model": _layer,
    "report": _report,
    "exporter": _exporter,
    "executor": _executor,
    "reader": _reader,
}
_USES: dict[str, Callable[[Subject, Any], list[Any]]] = {
    "validator": _validator,
    "metric": _metric,
    "renderer": _renderer,
    "processor": _processor,
    "augmentation": _augmentation,
}
