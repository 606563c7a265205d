"""Evaluation of a run: held-out losses, baselines, metrics of samples, and reports."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.corpora import FILE, fold_reader_options, open_corpus, read_file_as, sort_out_corpus
from seqgen.api.encoded_corpus import EncodedCorpus, ignore
from seqgen.api.evidence import Evidence, baseline_metrics, distance_metrics, gather, memorization_metrics
from seqgen.api.factories import domain_entry
from seqgen.api.sample import iter_rows
from seqgen.api.score import describe_samples
from seqgen.checkpoint import leakage_notes
from seqgen.compute import computing
from seqgen.config import EvaluateConfig, SampleConfig, assign, split_executor_options, split_names
from seqgen.corpus import Corpus
from seqgen.errors import BadOption, CorpusError, Interrupted, MissingExtra
from seqgen.executors import Task, find_executor, is_here, run_tasks
from seqgen.files import check_file, check_suffix
from seqgen.metrics import FEW_RECORDS, METRICS, Evaluation, best_baseline, has_few_tested
from seqgen.plugins import get_referenced
from seqgen.registry import Entry
from seqgen.render import counted
from seqgen.specs import DomainSpec

if TYPE_CHECKING:
    from seqgen.api.open_run import OpenRun
    from seqgen.batches import Encoded, Stream
    from seqgen.sampling import Sample

_BATCHES, _SAMPLES = 8, 1024  # batches and samples of a task
_MAX_CHECKED = 1000  # records of a reference of which is said how many are not valid
_MAX_HELD_OUT = 10_000  # held-out records that metrics compare with, where no reference is named
_ROUNDING = {"rel_tol": 1e-3, "abs_tol": 2e-3}  # of bits per character, on another processor or engine
_LOGGED = "the training log says {:.3f} bits per character for the validation part"
_MAX_ROWS = 50  # samples that a report has with their scores


def evaluate(
    run: OpenRun, config: EvaluateConfig, log: Callable[[str], None] = ignore
) -> tuple[dict[str, Any], dict[str, str], list[Path], list[BaseException]]:
    """Evaluate a run: held-out losses, and metrics of samples; write the reports of the configuration.

    Returns:
        The metrics by name; labels of metrics of plugins, by name; the files of the reports; and the errors of
        metrics and reports that failed, for the caller to raise when the rest is shown.

    Raises:
        UnknownName, MissingExtra, BadOption, DiskError: a report cannot be written; nothing is evaluated then.
    """
    from seqgen.evaluation import labels_of

    n, reference = config.n, None if config.reference is None else str(config.reference)
    reports = {**config.reports, **({} if config.html is None else {"html": config.html})}
    if len(reports) <= len(config.reports) and config.html is not None:
        raise BadOption(f"the report html is to be {str(config.reports['html'])!r} and {str(config.html)!r}: give one")
    for path in reports.values():
        check_file(Path(path))
    executor, options = split_executor_options(config.options)
    find_executor(run.plugins, config.on, executor)
    entries = {name: run.plugins.find("report", name) for name in reports}
    corpus, metrics, writers, notes = _parts(run, reference, config.metrics, entries, options)
    for name, writer in writers.items():
        check_suffix(Path(reports[name]), getattr(writer, "suffixes", ()))
    settings = run.settings
    log("reading the corpus")
    data = run.read_corpus()
    result: dict[str, Any] = {"run": run.folder.name, "step": run.state["step"], "trained_s": run.state["elapsed_s"]}
    log("held-out losses")
    shared = _share(run, data, config, executor)
    with computing(settings.engine.threads):
        result |= _losses(run, data, shared)
    log(f"{n:,} samples")
    samples = shared.get("samples") or list(iter_rows(run, n, SampleConfig(seed=config.seed), run.warn))
    texts = [sample.text for sample in samples]
    log("baselines, and what the samples share with the training part")
    found = gather(run, data, texts)
    found.notes += notes
    if run.vocabulary.ends and not run.lacking and run.validator is None:
        found.notes.append("left out: valid, since texts of this domain are not validated (--domain names another)")
    if run.lacking and run.vocabulary.ends:
        found.notes.append(f"left out: valid, since {run.lacking}; unique and novel compare texts as they stand")
    result |= baseline_metrics(run, found)
    result |= {"samples": len(texts)} | _shares(run, texts)
    with computing(settings.engine.threads):
        result |= distance_metrics(run, found) | memorization_metrics(run, data, found)
    found.notes += leakage_notes(run.settings.start) + _of_conditions(run, data)
    found.notes += _beside_the_log(run, result, data.encoded["valid"]) + _beside_counts(result)
    found.notes += _of_few_records(result, "test record" if run.vocabulary.ends else "window")
    failures: list[BaseException] = []
    if metrics:
        values, failures = _metrics_of_samples(run, texts, corpus, metrics, reference, found.notes, log)
        result |= values
    result["notes"] = found.notes
    labels = labels_of(metrics)
    files: list[Path] = []
    if writers:
        files, more = _write_reports(evaluation_of(run, result, labels, samples, found), writers, reports)
        failures += more
    return result, labels, files, failures


def _metrics_of_samples(
    run: OpenRun,
    texts: list[str],
    corpus: Corpus | None,
    metrics: Mapping[str, Any],
    reference: str | None,
    notes: list[str],
    log: Callable[[str], None],
) -> tuple[dict[str, Any], list[BaseException]]:
    """Return the metrics of samples beside a reference corpus, or held-out records, and errors; add notes."""
    from seqgen.evaluation import PartTexts, domain_metrics, notes_on_reference

    splitter, parts = run.settings.splitter, run.settings.corpus.parts
    if corpus is None:
        every = max(1, -(-(parts["valid"] + parts["test"]) // _MAX_HELD_OUT)) if run.vocabulary.ends else 1
        held_out = PartTexts(run.corpus, splitter, training=False)
        compared = list(itertools.islice(held_out, 0, every * _MAX_HELD_OUT, every))
    else:
        compared = [record.text for record in corpus]
        notes += notes_on_reference(compared[:_MAX_CHECKED], run.validator_here)
    log(f"metrics: {', '.join(metrics)}, of {counted(len(texts), 'sample')} beside {counted(len(compared), 'record')}")
    training = PartTexts(run.corpus, splitter, training=True)
    found, omitted, failures = domain_metrics(metrics, texts, compared, training, reference)
    notes += omitted
    return found, failures


def _parts(
    run: OpenRun,
    reference: str | None,
    more: Sequence[str],
    reports: Mapping[str, Entry],
    options: Mapping[str, Any],
) -> tuple[Corpus | None, dict[str, Any], dict[str, Any], list[str]]:
    """Return the reference corpus, metrics and reports, both built, by name, and notes on these.

    The metrics are those of the run's domain, and ``more``. One that needs what is not installed is left out, unless it
    was asked for, by its name, its options or a reference.

    Raises:
        UsageError, CorpusError: there is no such metric or reference corpus, or that has no record.
        BadOption: a bare option would replace what ``reference`` says.
    """
    from seqgen.evaluation import notes_on_foreign

    domain, spec = domain_entry(run.settings, run.plugins)
    entries = {name: get_referenced(domain, "metric", name, run.plugins) for name in spec.metrics}
    asked = {entry.spec.name: entry for entry in (run.plugins.find("metric", name) for name in more)}
    entries |= asked
    fields = {name: entry.option_names() for name, entry in (*entries.items(), *reports.items())}
    found: tuple[Entry, dict[str, Any]] | None = None
    if reference is not None:
        found = sort_out_corpus(reference, run.plugins, run.warn)
        fields["corpus"] = found[0].option_names()
    implied = {} if found is None else found[1]
    open_to_all = fields | {"corpus": [name for name in fields.get("corpus", ()) if name not in implied]}
    assignments = fold_reader_options(split_names(options))
    for part, name, _ in assignments:
        if part is None and name in implied and not any(name in names for names in open_to_all.values()):
            raise BadOption(
                f"cannot set {name!r}: --reference {reference!r} says it; write corpus.{name} to replace it"
            )
    given = assign(_everywhere(assignments, open_to_all), fields)
    writers = {name: entry.use(given.get(name, {})) for name, entry in reports.items()}
    others = (entry.spec_as(DomainSpec) for entry in run.plugins.registry.entries("domain"))
    metrics, notes = dict[str, Any](), notes_on_foreign(spec, others, asked)
    if reference is not None and not entries:
        notes.append(f"left out: --reference: metrics compare with it, and the domain {domain.spec.name} has none")
    for name, entry in entries.items():
        try:
            metrics[name] = entry.use(given.get(name, {}))
        except MissingExtra as error:
            if found is not None or given.get(name) or name in asked:
                raise
            notes.append(f"left out: {error}")
    if found is None:
        return None, metrics, writers, notes
    entry = found[0]
    said = implied | given.get("corpus", {})
    read_as = read_file_as(said, run.plugins, domain)[1] if entry.qualified == FILE else {}
    corpus = open_corpus(entry, entry.options(read_as | said), new=True, plugins=run.plugins)
    if metrics and next(iter(corpus), None) is None:
        raise CorpusError(f"cannot compare with the reference {reference!r}: it has no record; name another")
    return corpus, metrics, writers, notes


def _everywhere(
    assignments: Sequence[tuple[str | None, str, Any]], fields: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str | None, str, Any]]:
    """Give a bare option name to every part that has it: one wheel often holds a reference and a metric's lists."""
    for part, name, value in assignments:
        owners: list[str | None] = [owner for owner, names in fields.items() if part is None and name in names]
        yield from ((owner, name, value) for owner in owners or [part])


def _share(
    run: OpenRun, data: EncodedCorpus, config: EvaluateConfig, executor: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Return the losses of the batches of each part, and the samples, computed by workers; {} for one worker here."""
    if is_here(config.workers, config.on, executor):
        return {}
    from seqgen.batches import Encoded
    from seqgen.counting import network_of
    from seqgen.evaluation import RECORDS_PER_BATCH
    from seqgen.sampling import Sample

    named = {"run": str(run.folder.path.resolve()), "checkpoint": run.state["step"]}
    valid, test = (-(-len(data.encoded[part]) // RECORDS_PER_BATCH[Encoded]) for part in ("valid", "test"))
    work = {"samples": (config.n, _SAMPLES)}
    if run.vocabulary.ends:
        work |= {"valid": (valid, _BATCHES), "test": (test, _BATCHES)}
        work |= {"network": (test, _BATCHES)} if network_of(run.model) is not run.model else {}
        work |= {"unconditional": (test, _BATCHES)} if run.vocabulary.slots else {}
    tasks = []
    for what, (total, size) in work.items():
        function = "samples" if what == "samples" else "losses"
        of = {"seed": config.seed} if what == "samples" else {"what": what}
        for first in range(0, total, size):
            arguments = {**named, **of, "first": first, "last": min(first + size, total)}
            label = f"{what} {first:,} to {arguments['last']:,}"
            tasks.append(Task(f"seqgen.tasks.evaluate:{function}", arguments, label))
    results = run_tasks(tasks, workers=config.workers, on=config.on, options=executor, plugins=run.plugins)
    found: dict[str, list[Any]] = {what: [] for what in work}
    for result in sorted(results, key=lambda result: result.number):
        found[str(result.task.arguments.get("what", "samples"))] += result.value
    return found | {"samples": [Sample(*row) for row in found["samples"]]}


def _losses(run: OpenRun, data: EncodedCorpus, shared: Mapping[str, list[Any]]) -> dict[str, float]:
    """Return held-out losses and numbers of records; an interval needs at least two texts."""
    from seqgen.counting import network_of
    from seqgen.evaluation import held_out_loss, penalty, record_losses

    losses: dict[str, float] = {}
    penalty_V, valid, test = penalty(run.vocabulary, run.model), data.encoded["valid"], data.encoded["test"]
    if len(valid):
        held_out = held_out_loss(run.model, valid, penalty_V, most=10**9, known=shared.get("valid"))
        losses |= {"validation_loss_nats": held_out.loss_nats, "validation_bits_per_char": held_out.bits_per_char}
        losses |= {"validation_records": held_out.n_records} if run.vocabulary.ends else {}
    if len(test):
        costs = record_losses(run.model, test, run.vocabulary, penalty_V, known=shared.get("test"))
        low, high = costs.interval()
        losses |= {"test_loss_nats": costs.loss_nats, "test_bits_per_char": costs.bits_per_char}
        losses |= {"test_bits_per_char_low": low, "test_bits_per_char_high": high} if math.isfinite(low) else {}
        if (network := network_of(run.model)) is not run.model:
            alone = held_out_loss(network, test, penalty_V, most=10**9, known=shared.get("network"))
            losses |= {"test_network_bits_per_char": alone.bits_per_char}
        if run.vocabulary.slots:
            free = test.without_conditions()  # type: ignore[union-attr]  # one long text has no conditions
            alone = held_out_loss(run.model, free, penalty_V, most=10**9, known=shared.get("unconditional"))
            losses |= {"test_unconditional_bits_per_char": alone.bits_per_char}
        losses |= {"test_records": len(costs.nats_N)}
    return losses


def _of_conditions(run: OpenRun, data: EncodedCorpus) -> list[str]:
    """Return notes on conditions, which only held-out losses are given; none for a run without them."""
    from seqgen.evaluation import unseen_condition_warnings

    names = ", ".join(run.vocabulary.slots)
    held_out = [getattr(data.encoded[part], "conditions_NC", None) for part in ("valid", "test")]
    if not names or not any(given_NC is not None and given_NC.any() for given_NC in held_out):
        return []
    given = f"held-out losses are given each record's conditions ({names}); baselines and samples have none"
    return [given, *unseen_condition_warnings(data.encoded, run.vocabulary)]


def _beside_the_log(run: OpenRun, losses: Mapping[str, Any], valid: Encoded | Stream) -> list[str]:
    """Return a note on the validation loss of the training log, where that shows another one; else none.

    Other records are a reason, and so is a blend that is fitted to what it scores. The network has none for the records
    of the log: where its loss differs by more than rounding does, on other processors and engines, other code computed
    it.
    """
    from seqgen.batches import Encoded, evaluation_batches
    from seqgen.counting import network_of
    from seqgen.evaluation import SYMBOLS_PER_RECORD, held_out_loss, penalty

    logged = next((row for row in run.metrics if row.get("step") == run.state["step"]), {})
    before, now = logged.get("valid_bits_per_char"), losses.get("validation_bits_per_char")
    if not isinstance(before, float) or now is None or f"{before:.3f}" == f"{now:.3f}":
        return []
    if run.settings.corpus.before:
        return [f"{_LOGGED.format(before)}: perhaps before the run continued with another corpus"]
    most = run.settings.train.eval_records if run.state.get("eval_records") is None else run.state["eval_records"]
    n_logged, of = most * SYMBOLS_PER_RECORD, "symbols"
    if isinstance(valid, Encoded):
        n_logged, of = sum(map(len, evaluation_batches(valid.lengths_N, most))), "records"
    why = [f"it was measured on {n_logged:,} of the {len(valid):,} {of}"] if n_logged < len(valid) else []
    if run.state.get("gate") is not None or run.state.get("repeats") is not None:
        one = "record" if of == "records" else "piece"
        quoted = "test part" if "test_bits_per_char" in losses else "log"
        why.append(f"there, the blend that scored a {one} was fitted to the others only; here, it was fitted to all")
        why.append(f"the value to quote is that of the {quoted}, where no blend is fitted to what it scores")
    network, alone = network_of(run.model), logged.get("valid_network_bits_per_char", before)
    if why:
        with computing(run.settings.engine.threads):
            found = held_out_loss(network, valid, penalty(run.vocabulary, network), most=most).bits_per_char
    else:
        found = now
    if math.isclose(found, alone, **_ROUNDING):
        return [f"{_LOGGED.format(before)}: {'; '.join(why)}"] if why else []
    shown = _LOGGED.format(alone) + (" (network alone)" if "valid_network_bits_per_char" in logged else "")
    return [f"{shown}, not {found:.3f}: the code of the model, or how its corpus is read, is not that of its training"]


def _beside_counts(metrics: Mapping[str, Any]) -> list[str]:
    """Return a note where the best baseline predicts the test part better than the run, if not of few records.

    Baselines know no conditions, so a run that has some is compared without them.
    """
    test, name = metrics.get("test_bits_per_char"), best_baseline(metrics)
    test = metrics.get("test_unconditional_bits_per_char", test)
    if test is None or name is None or metrics[name] >= test or has_few_tested(metrics):
        return []
    counts = f"{METRICS[name].label} has {metrics[name]:.3f} bits per character of the test part"
    alone = " without conditions" if "test_unconditional_bits_per_char" in metrics else ""
    return [f"the best baseline is better than the run{alone}: {counts}"]


def _of_few_records(metrics: Mapping[str, Any], unit: str) -> list[str]:
    """Return notes on losses of few records; that of the test part may be of windows of a long text."""
    notes = []
    if 0 < (n := metrics.get("validation_records", FEW_RECORDS)) < FEW_RECORDS:
        notes.append(f"{counted(n, 'validation record')}: the validation loss says little")
    if has_few_tested(metrics):
        n = metrics["test_records"]
        what = "the interval of the test loss" if n > 1 else "the test loss"
        notes.append(f"{counted(n, unit)}: {what} says little")
    return notes


def _shares(run: OpenRun, texts: list[str]) -> dict[str, float]:
    """Return the shares of valid, unique and novel samples, with intervals where samples are independent."""
    from seqgen.evaluation import count_samples, share_interval

    if not run.vocabulary.ends:  # one long text has no records to be new beside
        return {}
    judged = count_samples(texts, run.corpus, run.settings.splitter, run.validator_here, run.recorded_form)
    shares: dict[str, float] = {}
    if run.validator_here is not None and judged.n:
        low, high = share_interval(judged.n_valid, judged.n)
        shares |= {"valid": judged.valid, "valid_low": low, "valid_high": high}
    if judged.n_valid:  # without a valid sample none of them could be unique or novel
        low, high = share_interval(judged.n_novel, judged.n_unique)
        shares |= {"unique": judged.unique, "novel": judged.novel, "novel_low": low, "novel_high": high}
    return shares


# -- reports


def _write_reports(
    evaluation: Evaluation, writers: Mapping[str, Any], paths: Mapping[str, str | Path]
) -> tuple[list[Path], list[BaseException]]:
    """Write reports by name; return their files, and the errors of those that failed."""
    files, failures = list[Path](), list[BaseException]()
    for name, writer in writers.items():  # each gets one of its own, which it may change
        try:
            files += writer.write(copy.deepcopy(evaluation), Path(paths[name]))
        except Interrupted:
            raise
        except (Exception, SystemExit) as error:
            failures.append(error)
    return files, failures


def evaluation_of(
    run: OpenRun, metrics: Mapping[str, Any], labels: Mapping[str, str], samples: Sequence[Sample], found: Evidence
) -> Evaluation:
    """Return what reports are given."""
    return Evaluation(
        metrics=metrics,
        labels=labels,
        settings=run.settings.model_dump(mode="json"),
        history=run.metrics,
        rows=describe_samples(run, samples[:_MAX_ROWS], {}, found.where),
        samples=found.samples,
        held_out=found.held_out,
        has_records=run.vocabulary.ends,
    )
