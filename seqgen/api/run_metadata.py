"""Run metadata: the content of run.json, its width and criterion decided, with the versions and the machine."""

from __future__ import annotations

import datetime
import math
import platform
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

import seqgen
from seqgen.api.config import ResolvedConfig
from seqgen.api.corpora import FILE
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.api.factories import build_model
from seqgen.api.layer_cells import cell_settings
from seqgen.api.preflight import check_memory, learned_before
from seqgen.checkpoint import (
    NGRAM,
    CorpusSettings,
    EngineSettings,
    PartSettings,
    RunSettings,
    lengths_with_refit,
)
from seqgen.compute import give_back_memory
from seqgen.config import LEAST_HELD_OUT
from seqgen.corpus import whole_path
from seqgen.errors import BadOption
from seqgen.files import dump_json
from seqgen.plugins import Plugins, code_of_parts, origin_of
from seqgen.registry import Entry
from seqgen.specs import CorpusSpec

if TYPE_CHECKING:
    from seqgen.config import TrainSettings
    from seqgen.counting import Counts
    from seqgen.tokenizers import Vocabulary

_FEW_RECORDS = 200  # below which the best step is the last that copies few of them
_WIDTH = 256  # units of a layer, for a list
_PASSES, _LEAST_STEPS, _MOST_STEPS = 25, 300, 2000
_BATCHES = (32, 64, 128)
_DROPOUT = ((30_000, 0.5), (150_000, 0.3), (1_000_000, 0.2), (math.inf, 0.1))
"""Dropout by the largest number of training symbols that it is for."""
_SHORT_TEXT = 20_000  # training symbols of one long text below which its defaults stay
_EXPONENTS = {False: "fitted", True: "sharp", "words": "words"}  # of a blend, by the syntax of a domain
_MAX_COUNTED = 4_000_000  # symbols, of which all are counted; of more only a part, unless all are asked for
_PART_COUNTED = 2_000_000  # symbols of such a part: four million take 230 MB and more while they are counted
_MAX_WIDTH = 65_536
_TRIES = 64  # widths in a row that a model may refuse, as attention heads that must divide them do
_STREAM_LENGTH = 500  # symbols of a sample of one long text, unless asked otherwise


def settle(resolved: ResolvedConfig, plugins: Plugins, data: EncodedCorpus) -> RunSettings:
    """Return what run.json will hold, the width and the criterion of the best step decided.

    Raises:
        BadOption: even the smallest model has more parameters than are allowed, or they exceed the memory.
        PluginError: a part cannot be built.
    """
    settings = _run_settings(resolved, plugins, data)
    settings = settings.model_copy(update={"train": with_best_by(settings, data, resolved)})
    if not getattr(resolved.corpus.spec, "recommended", None):
        settings = with_sizes(settings, data, resolved.open)
    train = with_blend(settings.train, data, resolved)
    train = with_refit(train, data, resolved)
    settings, budget = settings.model_copy(update={"train": train}), resolved.config.params
    if budget is None:
        return settings
    check_memory(budget)
    return with_width(settings, solve_width(lambda width: count_trained(plugins, with_width(settings, width)), budget))


def count_trained(plugins: Plugins, settings: RunSettings) -> int:
    """Return the number of trainable parameters of the model of a run."""
    from seqgen.model import count_parameters

    return count_parameters(build_model(plugins, settings))


def _run_settings(resolved: ResolvedConfig, plugins: Plugins, data: EncodedCorpus) -> RunSettings:
    """Return what run.json will hold; ``n_parameters`` and ``engine`` are filled in when the model is built."""

    def part(entry: Any, name: str) -> PartSettings:
        return PartSettings(name=entry.qualified, options=resolved.options.get(name, {}))

    from seqgen.evaluation import learned_combinations, unseen_conditions

    spec, config, start = resolved.corpus.spec_as(CorpusSpec), resolved.config, resolved.start
    before = () if start is None else (start.vocabulary.conditions, start.settings.corpus.unseen)
    corpus = CorpusSettings(
        name=resolved.corpus.qualified,
        options=resolved.options["corpus"],
        valid=None if config.valid is None else whole_path(str(config.valid)),
        test=None if config.test is None else whole_path(str(config.test)),
        divided=resolved.divided,
        title=resolved.title,
        licence=spec.licence,
        layout=resolved.layout,
        multiline=spec.multiline or data.survey.multiline,
        domain=resolved.parts["domain"].qualified,
        **_counted(data),
        unseen=unseen_conditions(data.encoded, data.vocabulary, *before),
        combinations=None if start is not None else learned_combinations(data.encoded, data.vocabulary),
    )
    learned = None if start is None else learned_before(resolved, start, data)
    return RunSettings(
        **made_here(),
        corpus=corpus,
        tokenizer=part(resolved.tokenizer, "tokenizer"),
        model=part(resolved.model, "model"),
        cell=cell_settings(resolved.parts, resolved.options),
        train=resolved.train,
        n_symbols=data.vocabulary.size,
        conditions=resolved.conditions,
        augmentation=part(resolved.augmentation, "augmentation") if resolved.augmentation is not None else None,
        start=None if start is None else start.recorded.model_copy(update={"learned": learned}),
        max_length=_STREAM_LENGTH if resolved.layout == "stream" else 2 * max(1, data.longest_symbols),
        n_parameters=0,
        engine=EngineSettings(threads=1),
        plugins=provenance(plugins, [*resolved.parts.values(), *_reader(resolved, plugins)]),
    )


def with_corpus(settings: RunSettings, data: EncodedCorpus) -> RunSettings:
    """Return the settings of a run that continues with a changed corpus, with the digests of the former ones."""
    from seqgen.evaluation import learned_conditions

    known, learned = settings.corpus, learned_conditions(data.encoded, data.vocabulary)
    unseen = {part: [one for one in values if one not in learned] for part, values in known.unseen.items()}
    now = _counted(data) | {"before": (*known.before, known.digest), "unseen": unseen, "combinations": None}
    return settings.with_values("corpus", now)


def _counted(data: EncodedCorpus) -> dict[str, Any]:
    """Return the counts of a corpus."""
    return {
        "digest": data.survey.digest,
        "n_records": data.survey.n_records,
        "n_chars": data.survey.n_chars,
        "longest": data.survey.longest,
        "parts": {name: len(encoded) for name, encoded in data.encoded.items()},
    }


def with_sizes(settings: RunSettings, data: EncodedCorpus, unsaid: Collection[tuple[str, str]]) -> RunSettings:
    """Return the settings of a new run, with width, dropout, batch and steps that suit the size of its corpus.

    It passes 25 times over a list of up to 10,240 records, and takes 2,000 steps on a longer one; a short list is
    trained on with much dropout. ``benchmarks/learning_curves.py`` measures this. Of one long text the windows are
    counted as records, and its batch stays. Models of plugins keep their defaults, and so do texts of fewer than 20,000
    symbols, and fewer than 200 records unless a held-out loss chooses the best step.

    Args:
        settings: settings of the run, with the criterion of the best step.
        data: its encoded corpus.
        unsaid: the options, as (part, name), that nobody says anything about.
    """
    if settings.model.name != "seqgen:recurrent":
        return settings

    from seqgen.evaluation import is_repeated

    part: Any = data.encoded["train"]
    stream = settings.corpus.layout == "stream"
    n_symbols, shown = (len(part), len(part) // settings.train.window) if stream else (len(part.flat), len(part))
    shown *= _PASSES
    decided = settings.train.best_by == "loss" and settings.corpus.parts["valid"]
    few = _is_short(settings.corpus) and (not decided or is_repeated(part))
    if few or (stream and n_symbols < _SHORT_TEXT):
        return settings
    fitting = (size for size in _BATCHES if shown <= size * _MOST_STEPS)
    batch_size = settings.train.batch_size if stream else next(fitting, _BATCHES[-1])
    sizes: dict[str, dict[str, Any]] = {
        "model": {"hidden": _WIDTH, "dropout": next(share for most, share in _DROPOUT if n_symbols <= most)},
        "train": {"batch_size": batch_size, "steps": min(max(shown // batch_size, _LEAST_STEPS), _MOST_STEPS)},
    }
    chosen = {
        kind: {name: value for name, value in values.items() if (kind, name) in unsaid}
        for kind, values in sizes.items()
    }
    settings = settings.with_values("train", chosen["train"])
    return settings.with_values("model", {"options": settings.model.options | chosen["model"]})


def _is_short(corpus: CorpusSettings) -> bool:
    return corpus.layout == "lines" and corpus.n_own < _FEW_RECORDS


def with_best_by(settings: RunSettings, data: EncodedCorpus, resolved: ResolvedConfig) -> TrainSettings:
    """Return the training settings of a new run, with the criterion of its best step.

    A handful of held-out records cannot decide which step is best, and the last step repeats the records. With fewer
    than 200 records the best step is the last at which few samples would be copies, and evaluations are frequent;
    ``benchmarks/few_records.py`` compares the two. A run still goes by the loss if it starts from the weights of
    another and so already knows how records look, but for other records of which fewer than five decide; if its
    validation records are in a file, or it has none; if most of its records are the same, so that copies are the goal;
    if its model counts; and if the user asks for a blend, which copies few of them at any step.

    Raises:
        BadOption: copies are the criterion, and the corpus is one long text.
    """
    from seqgen.evaluation import is_repeated

    train, corpus = settings.train, settings.corpus
    if train.best_by == "copies" and corpus.layout != "lines":
        raise BadOption("best_by=copies needs records, and one long text (--layout stream) has none")
    start = resolved.start
    knows = start is not None and (
        start.settings.corpus.digest == data.survey.digest or corpus.parts["valid"] >= LEAST_HELD_OUT
    )
    chosen = knows or corpus.valid is not None or not train.split[1]
    few = _is_short(corpus) and not is_repeated(data.encoded["train"])  # type: ignore[arg-type]  # of records
    asked = train.blend == "ngram" or (train.blend == "auto" and (start is None or knows))  # "auto" of another run
    blended = asked and corpus.parts["valid"] >= (1 if train.blend == "ngram" else LEAST_HELD_OUT)
    by = "copies" if few and not (chosen or resolved.counts or blended) else "loss"
    return train.model_copy(update={"best_by": train.best_by or by})


def with_blend(train: TrainSettings, data: EncodedCorpus, resolved: ResolvedConfig) -> TrainSettings:
    """Return the training settings of a new run, with what its model is mixed with: counts, and what records repeat.

    Unless the user says otherwise, held-out records decide; fewer than 5 cannot. Where the best step goes by copies,
    counts would make more of them; and counts know no conditions, so that samples of a blend follow them less often,
    though its loss is lower. Nor do they know a syntax; there the network keeps its say, and more samples follow the
    syntax than of the network alone. Who asks for no blend has the network alone.

    Args:
        train: settings of the run, with the criterion of the best step.
        data: its encoded corpus.
        resolved: its parts.

    Raises:
        BadOption: a model that counts would be blended with counts, or nothing is held out and ``repeats`` is "on".
    """
    counts = resolved.counts
    if counts and train.blend not in (None, "none"):
        raise BadOption(f"cannot blend a model that counts itself: blend is {train.blend}; drop it")
    from seqgen.evaluation import SYMBOLS_PER_RECORD

    n_held_out = len(data.encoded["valid"]) // (1 if data.vocabulary.ends else SYMBOLS_PER_RECORD)
    if train.repeats == "on" and not len(data.encoded["valid"]):
        raise BadOption(
            "cannot learn when records repeat themselves: repeats is on, and nothing is held out; hold some out, as "
            f"with {resolved.split_hint}, or drop it"
        )
    few = n_held_out < LEAST_HELD_OUT
    if few:  # to decide by; "auto" may be what another run does whose weights this one starts from
        train = train.model_copy(update={name: None for name in ("blend", "repeats") if getattr(train, name) == "auto"})
    conditioned = bool(data.vocabulary.conditions)
    uncounted = counts or few or train.best_by == "copies" or conditioned
    default = "none" if uncounted else "auto"
    repeats = "none" if counts or few or train.blend == "none" else "auto"
    blend, exponents = train.blend or default, train.exponents or _EXPONENTS[resolved.domain.syntax]
    mixture = {"blend": blend, "exponents": None if blend == "none" else exponents, "repeats": train.repeats or repeats}
    return train.model_copy(update=mixture)


def with_refit(train: TrainSettings, data: EncodedCorpus, resolved: ResolvedConfig) -> TrainSettings:
    """Return the training settings of a new run that a refit follows: a time limit holds for both.

    Raises:
        BadOption: nothing is held out, the model counts, or the weights are those of another run.
    """
    if not train.refit:
        return train
    n_train, n_valid = len(data.encoded["train"]), len(data.encoded["valid"])
    for problem, remedy, wrong in (
        ("there are none", f"hold out more with {resolved.split_hint}, or leave --refit out", not n_valid),
        ("the model counts", "leave --refit out", resolved.counts),
        ("the run starts from the weights of another", "leave --refit out", resolved.start is not None),
    ):
        if wrong:
            raise BadOption(f"--refit needs validation records that choose how long to train, and {problem}: {remedy}")
    if train.time_s is None:
        return train
    return train.model_copy(update={"time_s": train.time_s / lengths_with_refit(n_train, n_valid)})


def describe_tokenizer(settings: RunSettings, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the content of tokenizer.json."""
    return {
        "name": settings.tokenizer.name,
        "conditions": list(vocabulary.conditions),
        "data": vocabulary.tokenizer.to_json(),
    }


def run_files(settings: RunSettings, data: EncodedCorpus) -> tuple[dict[str, bytes], Counts | None]:
    """Return the first files of a run folder, and the counts among them that the model may be blended with."""
    described = dump_json(describe_tokenizer(settings, data.vocabulary))
    files = {"tokenizer.json": described, "run.json": dump_json(settings.model_dump(mode="json"))}
    if settings.train.blend == "none":
        return files, None
    from seqgen.counting import count_part, count_symbols, dump_counts

    part, refit = data.encoded["train"], settings.refit
    whole = settings.train.blend != "auto" or count_symbols(part) <= _MAX_COUNTED
    large = not whole and (refit is None or refit.kept_share is None)  # as the first run, if it corrected no copies
    counts = count_part(part, data.vocabulary, _PART_COUNTED if large else None)
    give_back_memory()  # counting takes twice what the counts do
    return files | {NGRAM: dump_counts(counts)}, counts


def solve_width(count: Callable[[int], int], budget: int) -> int:
    """Return the largest width whose model has at most a number of parameters.

    Args:
        count: returns the trainable parameters at a width; may refuse one with BadOption.
        budget: the most parameters.

    Raises:
        BadOption: even the smallest model has more.
    """

    def smallest(width: int) -> tuple[int, int]:
        """Return the first width from this one that the model does not refuse, and its parameters."""
        for candidate in range(width, width + _TRIES):
            try:
                return candidate, count(candidate)
            except BadOption as error:
                problem = error
        raise problem

    best, least = smallest(1)
    if least > budget:
        raise BadOption(f"a budget of {budget:,} parameters is too small: the model has {least:,} at width {best}")
    too_wide = best
    while too_wide < _MAX_WIDTH:
        too_wide *= 2
        width, n_parameters = smallest(too_wide)
        if n_parameters > budget:
            break
        best = too_wide = width
    while too_wide - best > 1:
        middle = (best + too_wide) // 2
        width, n_parameters = smallest(middle)
        if n_parameters <= budget:
            best = width
        else:
            too_wide = middle
    return best


def with_width(settings: RunSettings, width: int) -> RunSettings:
    """Return the settings with another number of units of each layer."""
    return settings.with_values("model", {"options": settings.model.options | {"hidden": width}})


def made_here() -> dict[str, Any]:
    """Return what run.json says of when, where and by which version a run was made."""
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    return {"seqgen": seqgen.__version__, "created": created, "environment": environment()}


def environment() -> dict[str, str]:
    """Return the versions and the machine on which results may depend."""
    import numpy
    import torch

    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        **gpu,
    }


def _reader(resolved: ResolvedConfig, plugins: Plugins) -> list[Entry]:
    """Return the reader of the corpus's files, if there is one for all of them."""
    name = resolved.options["corpus"].get("reader") if resolved.corpus.qualified == FILE else None
    return [] if name is None else [plugins.registry.get("reader", name)]


def provenance(plugins: Plugins, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return package, distribution and version behind some parts, the origin of what no index has, and code digests."""
    rows, program, used = [], plugins.plugins["seqgen"].provenance.distribution, list(entries)
    for package in sorted({entry.package for entry in used}):
        known = plugins.plugins[package].provenance
        own = known.sha256 is None and known.distribution != program  # the program's plugins come with the program
        origin = origin_of(known.distribution) if own else None
        said = {name: value for name, value in vars(known).items() if name != "given" or value}
        code = code_of_parts(plugins, package, [entry for entry in used if entry.package == package])
        rows.append(said | ({"code": code} if code else {}) | ({"origin": origin} if origin else {}))
    return rows


def given_again(entries: Iterable[Entry], plugins: Plugins) -> list[str]:
    """Return a warning for each part that was given from Python and must be given again to open the run."""
    lines = []
    for entry in entries:
        if given := plugins.plugins[entry.package].provenance.given:
            again = ", ".join(given.split("; "))
            lines.append(f"{entry.label}: to open the run again, give it again: seqgen.load(..., plugins=[{again}])")
    return lines
