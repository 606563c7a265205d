"""Preflight checks: the corpus, the model, memory and disk space, before the first step of a run.

A problem that would make the run useless is an error; one that the user may not mean is a warning of one line. Where a
plugin's model is made of cells, the cell is also tried alone, in core's own model, so that the message names the part
at fault.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from seqgen.api.config import ResolvedConfig
from seqgen.api.corpora import FILE
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.checkpoint import RunFolder, describe_leakage, learned_files, learned_parts
from seqgen.compute import computing, threads_here
from seqgen.corpus import PresplitSource, Record, real_paths
from seqgen.errors import (
    BadOption,
    MissingExtra,
    PluginError,
    SeqgenError,
    UnknownSymbol,
    find_plugin_frame,
    one_line,
)
from seqgen.files import free_bytes
from seqgen.plugins import CORE, Plugins, get_referenced
from seqgen.protocols import Verdict, has_corpus_warning
from seqgen.registry import Entry, attribute_errors
from seqgen.render import counted, visible
from seqgen.specs import DomainSpec

if TYPE_CHECKING:
    from seqgen.api.warm_start import WarmStart
    from seqgen.tokenizers import Vocabulary

_FIRST_RECORDS = 1000  # read for warnings
_SHOWN = 12  # new symbols
_FEWEST_LINES, _WIDE, _WORDS = 20, 40, 4  # lines, characters and blanks of one, for lines to look like a text's
_ARGUMENTS = re.compile(r"takes (\d+) positional arguments? but (\d+) w")


# -- the corpus


def corpus_warnings(resolved: ResolvedConfig, plugins: Plugins, vocabulary: Vocabulary) -> list[str]:
    """Return warnings about the first records: not valid in the domain, unusual for the tokenizer, not augmented."""
    is_file = resolved.corpus.qualified == FILE
    looked_into = is_file or resolved.augmentation is not None or has_corpus_warning(resolved.tokenizer.load())
    if resolved.layout != "lines" or not looked_into:
        return []  # a corpus may be slow to read
    source: Any = resolved.open_corpus(plugins).source
    train, *held_out = source.parts().values() if isinstance(source, PresplitSource) else (source,)
    texts, held_out_texts = _first_texts(train), _first_texts(itertools.chain.from_iterable(held_out))
    found = (
        *(_of_file(resolved.parts["domain"], plugins, texts, held_out_texts) if is_file else ()),
        _of_tokenizer(resolved.tokenizer, texts),
        _of_augmentation(resolved, vocabulary, texts),
    )
    return [line for line in found if line]


def file_warnings(domain: Entry, records: Iterable[Record], plugins: Plugins) -> list[str]:
    """Return the warnings with which a run on a file begins if no more is said than the file, its lines being records.

    Args:
        domain: of its texts.
        records: its records, of which the first are read.
        plugins: the registered parts.
    """
    texts, name, found = _first_texts(records), domain.spec_as(DomainSpec).tokenizer, list[str]()
    try:
        found += _of_file(domain, plugins, texts, [])
        found.append(_of_tokenizer(get_referenced(domain, "tokenizer", name, plugins), texts))
    except SeqgenError as error:  # a run is refused
        found.append(str(error))
    return [line for line in found if line]


def start_warnings(resolved: ResolvedConfig, start: WarmStart, data: EncodedCorpus) -> list[str]:
    """Return a warning for each difference between the corpus of a run and what its first weights were trained on."""
    from seqgen.tokenizers import new_tokens

    lines, name, own = _of_other_records(resolved, start, data), start.folder.name, start.settings
    given_NC = getattr(data.encoded["train"], "conditions_NC", None)
    if given_NC is not None and not given_NC.any():
        asked = " or ".join(own.conditions)
        way = f"if another column holds it, name that column {asked}"
        if "label" in own.conditions:
            way = "--label-field names the column that is the label"
        path = resolved.options["corpus"].get("path")
        place = f" of {Path(path).name}" if isinstance(path, str) else ""
        lines.append(f"{name} was conditioned on {asked}, which no record{place} has; {way}")
    if new := new_tokens(data.vocabulary, start.vocabulary):
        shown = " ".join(map(_shown, new[:_SHOWN])) + (" ..." if len(new) > _SHOWN else "")
        are, begin = ("1 symbol is", "starts") if len(new) == 1 else (f"{len(new)} symbols are", "start")
        line = f"{are} new to {name} and {begin} with fresh weights: {shown}"
        symbols = [symbol for symbol in new if symbol not in data.vocabulary.conditions]
        lines.append(line + _hint_on(symbols, start.vocabulary))
    if line := describe_leakage(name, learned_before(resolved, start, data)):
        first = replace(start, settings=own.model_copy(update={"refit": None}))
        better = None if learned_before(resolved, first, data) else own.refit
        lines.append(
            f"{line}; those of {Path(better.run).name}, of which it is the refit, have not" if better else line
        )
    return lines


def _of_other_records(resolved: ResolvedConfig, start: WarmStart, data: EncodedCorpus) -> list[str]:
    """Return a warning if the corpus of the first weights is not as it was when they were trained, or nothing."""
    own, files = start.settings.corpus, (resolved.config.valid, resolved.config.test)
    here, there = ([path and real_paths(str(path)) for path in pair] for pair in (files, (own.valid, own.test)))
    same = start.is_of(resolved.corpus, resolved.options["corpus"]) and resolved.divided == own.divided
    if here != there or data.survey.digest == own.digest or not same:
        return []
    unit, then, now = "record", own.n_records, data.survey.n_records
    if own.layout == "stream":
        unit, then, now = "character", own.n_chars, data.survey.n_chars
    changed = f"corpus {resolved.title!r}: changed since {start.folder.name} was trained on it"
    return [f"{changed}: {counted(then, unit)} then, {now:,} now"]


def _hint_on(symbols: Sequence[str], known: Vocabulary) -> str:
    """Return the clause of a tokenizer on how to write texts without new symbols, or ""."""
    for symbol in symbols:
        try:
            known.encode(symbol)
        except UnknownSymbol as error:
            if error.hint:
                return f"; {error.hint}"
    return ""


def learned_before(resolved: ResolvedConfig, start: WarmStart, data: EncodedCorpus) -> tuple[str, ...] | None:
    """Return the held-out parts with records that the first weights have learned from; None if that is unknown.

    Of another corpus only its files are known: the texts of the run of these weights are not kept.
    """
    own, files = start.settings, (resolved.config.valid, resolved.config.test)
    parts = [part for part, records in data.encoded.items() if len(records)]
    if data.survey.digest != own.corpus.digest and not start.is_of(resolved.corpus, resolved.options["corpus"]):
        return learned_files(own, files, parts)
    return learned_parts(own, resolved.train, files, parts, divided=resolved.divided)


def _shown(symbol: str) -> str:
    """Return a symbol as it is shown: blank and combining characters by their code points."""
    blank = len(symbol) == 1 and unicodedata.category(symbol)[0] in "ZM"
    return f"U+{ord(symbol):04X}" if blank else visible(symbol)


def _first_texts(records: Iterable[Record]) -> list[str]:
    return [record.text for record in itertools.islice(records, _FIRST_RECORDS)]


def _of_wrapped_lines(texts: Sequence[str]) -> str:
    """Return the warning of lines that look like those of one long text: many begin amid a sentence, few are short."""
    if len(texts) < _FEWEST_LINES:
        return ""
    lengths = sorted(map(len, texts))
    n_amid = sum(text[:1].islower() for text in texts)
    n_ended = sum(text.rstrip("'\"”’)").endswith((".", "!", "?")) for text in texts)
    alike = lengths[len(lengths) // 2] >= _WIDE and lengths[len(lengths) // 4] >= 0.7 * lengths[-1]
    of_words = sorted(text.count(" ") for text in texts)[len(texts) // 2] >= _WORDS and n_ended > 0.01 * len(texts)
    amid = n_amid / len(texts)
    if not (alike and of_words and 0.3 < amid < 0.98 and n_ended < 0.6 * len(texts)):
        return ""
    return f"{amid:.0%} of the first lines begin amid a sentence: --layout stream reads them as one long text"


def _of_tokenizer(entry: Entry, texts: list[str]) -> str:
    """Return the warning of a tokenizer about texts that it can cut and is not made for."""
    with attribute_errors(entry, "fails on the first records"):
        tokenizer = entry.load()
        line = tokenizer.corpus_warning(texts) if has_corpus_warning(tokenizer) else ""
        return f"tokenizer {entry.spec.name}: {line}" if line else ""


def _of_file(domain: Entry, plugins: Plugins, texts: list[str], held_out: list[str]) -> list[str]:
    """Return warnings about a user's file, and files of held-out records, by its lines and its domain's validator."""
    spec, of_lines = domain.spec_as(DomainSpec), _of_wrapped_lines(texts)
    try:
        validator = domain_validator(domain, plugins)
    except MissingExtra as error:
        return [f"the records are not validated: {error}", of_lines]
    if validator is None:
        return [of_lines]
    verdicts, of_held_out = [validator.validate(text) for text in texts], list[Verdict]()
    with contextlib.suppress(Exception):  # a run is not stopped by it, which is said where other spellings are counted
        of_held_out = [validator.validate(text) for text in held_out]
    return [
        _of_validity(spec, texts, verdicts, "records", "they are trained on as they are"),
        _of_validity(spec, held_out[: len(of_held_out)], of_held_out, "held-out records", "losses on them say little"),
        "" if held_out else _of_spelling(texts, verdicts),  # those of held-out files are counted
        of_lines,
    ]


def domain_validator(domain: Entry, plugins: Plugins) -> Any:
    """Return the validator of a domain, or None.

    Raises:
        MissingExtra: it needs a package that is not installed.
    """
    name = domain.spec_as(DomainSpec).validator
    return None if name is None else get_referenced(domain, "validator", name, plugins).use({})


def _of_spelling(texts: list[str], verdicts: Sequence[Verdict]) -> str:
    """Return the warning of records that are the same to the domain and not as texts."""
    forms = {text: verdict.form(text) for text, verdict in zip(texts, verdicts, strict=True)}
    n_others = len(forms) - len(set(forms.values()))
    if not n_others:
        return ""
    return (
        f"{n_others} of the first {len(texts)} records repeat{'s' * (n_others == 1)} another in a different spelling: "
        "one of the two may be trained on and the other held out, so that losses on held-out records say less"
    )


def _of_validity(spec: DomainSpec, texts: list[str], verdicts: Sequence[Verdict], whose: str, then: str) -> str:
    """Return the warning of records that are not valid in the domain, like ``CCO mol17``."""
    refused = [(text, verdict.reason) for text, verdict in zip(texts, verdicts, strict=True) if not verdict.ok]
    if not refused:
        return ""
    text, reason = refused[0]
    alone = all(any(map(str.isspace, text.strip())) for text, _ in refused) and 2 * len(refused) > len(texts)
    more = "; a line must be the text alone: cut -f1 FILE, or cut -d' ' -f1, takes the first field" if alone else ""
    return (
        f"{len(refused)} of the first {len(texts)} {whose} are not valid for the domain {spec.name}, "
        f"such as {text[:60]!r}: {reason[:120]}; {then}{more}"
    )


def _of_augmentation(resolved: ResolvedConfig, vocabulary: Vocabulary, texts: list[str]) -> str:
    """Return a warning about an augmentation that writes unknown symbols: such a record stays as it is."""
    if resolved.augmentation is None:
        return ""
    with attribute_errors(resolved.augmentation, "fails on its first record"):
        augment = resolved.augmentation.use(resolved.options["augmentation"])
        written = [augment(text, Random(index)) for index, text in enumerate(texts)]
    problems = list[str]()
    for text in written:
        try:
            vocabulary.encode(text)
        except UnknownSymbol as error:
            problems.append(str(error))
    if not problems:
        return ""
    return (
        f"{len(problems)} of the first {len(texts)} records are not augmented, since the augmentation "
        f"{resolved.augmentation.spec.name} writes symbols that the corpus does not have: {problems[0]}"
    )


# -- the model

_MORE = "seqgen plugins check finds out more"


def check_model(
    model: Any,
    data: EncodedCorpus,
    resolved: ResolvedConfig,
    alone: Callable[[int], Any],
    warn: Callable[[str], None],
) -> None:
    """Run the model on a small batch, and refuse one that fails or whose losses would be meaningless.

    Parameters that no gradient reaches are warned about.

    Args:
        model: on the CPU.
        data: the corpus.
        resolved: the parts of the run; NaN is their fault unless it starts from the weights of another.
        alone: builds core's model around one of the cells, by index; called only if several parts may be at fault.
        warn: called with one line.

    Raises:
        PluginError: it raises; the output of a step, the logits or the state have the wrong shape; the logits or the
            gradients are not numbers, or the logits are probabilities; the state that is given is changed, or comes
            back in another form; a step depends on later symbols, or a row on others; a sequence that is read in two
            pieces, or symbol by symbol, comes out another; the same input comes out another each time.
        UsageError, OSError: what the part itself raises for the user.
    """
    from seqgen.batches import make_feed
    from seqgen.model import count_parameters
    from seqgen.training.engine_choice import choose_threads
    from seqgen.training.model_checks import find_fault

    batch = make_feed(data.encoded["train"], batch_size=2, window=8, seed=0).probe_batch()
    culprit = part_at_fault(resolved)
    threads = choose_threads(count_parameters(model), len(batch.ids_BT), resolved.config.threads, threads_here())
    with computing(threads):  # several threads wait for one another longer than they compute, on a busy machine
        look = partial(find_fault, batch=batch, n_symbols=data.vocabulary.size, fresh=resolved.start is None)
        fault, unused = look(model)
        if fault is None:
            if unused:
                warn(
                    f"{culprit.full_label}: no gradient reaches {', '.join(unused)}: nothing uses it, or the step cuts "
                    "it off, as detach and numpy do"
                )
            return
        for index, cell in enumerate(resolved.cells if culprit is resolved.model else ()):
            if (of_cell := _fault_alone(partial(alone, index), look)) is not None:
                culprit, fault = cell, of_cell
                break
    raise PluginError(f"{culprit.full_label}{_message(fault, culprit)}") from fault


def part_at_fault(resolved: ResolvedConfig) -> Entry:
    """Return the part to name first if a model fails: its only cell if the model is core's, else the model."""
    cells, model = resolved.cells, resolved.model
    return cells[0] if len(cells) == 1 and model.package == CORE else model


def _message(fault: BaseException, culprit: Entry) -> str:
    """Return the clause of the message after the name of the part, with the line that raised."""
    from seqgen.training.model_checks import BrokenContract

    if isinstance(fault, BrokenContract):
        return f"{fault} ({_MORE})"
    found = find_plugin_frame(fault, (culprit.package,))
    place = f"{found[1]}; " if found is not None else ""
    if isinstance(fault, TypeError) and (counts := _ARGUMENTS.search(str(fault))) is not None:
        place = "is self missing? " * (int(counts[2]) == int(counts[1]) + 1) + place
    return f" fails on its first batch: {type(fault).__name__}: {one_line(fault)} ({place}{_MORE})"


def _fault_alone(
    alone: Callable[[], Any], look: Callable[[Any], tuple[BaseException | None, Any]]
) -> BaseException | None:
    """Return the failure of a cell in core's model; None if it works, or if it cannot be built there."""
    try:
        model = alone()
    except SeqgenError:
        return None
    return look(model)[0]


# -- memory and disk

_WEIGHT_BYTES = 4
_KEPT = 3  # checkpoints of a run for most of its time: the last two and the best


def check_memory(budget: int) -> None:
    """Refuse a model whose weights alone exceed the memory of the machine; solving for its width takes minutes.

    Args:
        budget: number of its parameters.

    Raises:
        BadOption: it exceeds the memory.
    """
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # a system that does not say
        return
    needed = budget * _WEIGHT_BYTES
    if needed > memory > 0:
        raise BadOption(
            f"a budget of {budget:,} parameters is too large: their weights take {needed:,} bytes, "
            f"this machine has {memory:,}"
        )


def check_disk_space(folder: RunFolder, model: Any, warn: Callable[[str], None]) -> None:
    """Warn before the first step of a disk that has no space for the checkpoints.

    Args:
        folder: the run's.
        model: the model that is trained.
        warn: called with one line.
    """
    needed, free = _KEPT * _checkpoint_bytes(model), free_bytes(folder.path)
    if free is not None and free < needed:
        warn(
            f"{_KEPT} checkpoints of {str(folder.path)!r} need {needed:,} bytes, the disk has {free:,} free: the run "
            "will stop when it is full; free space, or choose another --out"
        )


def _checkpoint_bytes(model: Any) -> int:
    """Return the size of a checkpoint: weights and two moments of each parameter; a few kilobytes are left out."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    tensors = [*model.state_dict().values(), *trained, *trained]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
