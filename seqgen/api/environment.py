"""Plugins, corpora, device and threads: what a training finds before it begins."""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqgen.corpus import (
    ConcatenatedRecords,
    Corpus,
    PresplitSource,
    Record,
    guess_form,
    load_file,
    refuse_known_formats,
)
from seqgen.errors import NoSuchFile, PluginError, UnknownName, UsageError
from seqgen.plugins import Plugins, origin_of
from seqgen.registry import Entry
from seqgen.specs import CorpusSpec


def ignore(line: str) -> None:
    """A message that nobody listens to."""


# -- corpora

_UNQUOTED = re.compile(r"[\w./*?\[\]-]+")  # a pattern that a shell takes as it is

FILE = "seqgen:file"
"""The corpus that is a text file; its option ``path`` says which."""
OF_FIELDS = ("text_field", "label_field", "fields")
"""Its options that choose fields of a table."""


def sort_out_corpus(name: str | Path, plugins: Plugins) -> tuple[Entry, dict[str, Any]]:
    """What ``--corpus`` names: a registered corpus first, else a file; ``./names`` is always the file.

    Returns:
        The corpus, and the options that the name implies.

    Raises:
        UnknownName: neither.
        NoSuchFile: a path that does not exist.
    """
    if not isinstance(name, str | Path) or not str(name):
        raise UsageError(f"a corpus is a registered name or the path of a file, not {name!r:.60}")
    text = str(name)
    if text == "-":
        raise UsageError(
            "cannot read records from '-': a corpus is read more than once; write stdin to a file first: "
            "cat > corpus.txt"
        )
    if isinstance(name, str) and plugins.registry.has("corpus", text):
        return plugins.registry.get("corpus", text), {}
    path = Path(name)
    if path.exists():
        return plugins.registry.get("corpus", FILE), {"path": str(path.absolute())}
    if set(text) & set("*?["):
        raise NoSuchFile(
            f"no such file: {text!r}; a corpus is one file, so join those that the pattern names: "
            f"cat {text if _UNQUOTED.fullmatch(text) else 'FILES'} > corpus.txt"
        )
    if "/" in text or "\\" in text or path.suffix:
        raise NoSuchFile(f"no such file: {text!r}")
    hint = plugins.failed_hint() or "a file with a record a line would do too"
    raise UnknownName("corpus", text, plugins.registry.names("corpus"), hint)


def open_new_corpus(
    entry: Entry,
    options: Mapping[str, Any],
    valid: str | Path | None = None,
    test: str | Path | None = None,
    layout: str | None = None,
) -> Corpus:
    """A corpus that is not yet that of a run, as ``open_corpus`` gives it.

    Raises:
        CorpusError: a file is of a kind whose lines are no records, such as FASTA, and no option says how to read it.
        PluginError, UsageError: as of ``open_corpus``.
    """
    read_as = dict(options) if entry.qualified == FILE else {}
    for path in (read_as.pop("path", None), valid, test):
        if path is not None:
            refuse_known_formats(str(path), **read_as | ({"layout": layout} if layout else {}))
    return open_corpus(entry, options, valid, test, layout)


def open_corpus(
    entry: Entry,
    options: Mapping[str, Any],
    valid: str | Path | None = None,
    test: str | Path | None = None,
    layout: str | None = None,
) -> Corpus:
    """A corpus ready to be iterated.

    Args:
        entry: a registered corpus.
        options: every option of it.
        valid: a file of validation records, or None.
        test: a file of test records, or None.
        layout: "stream" sees records as one long text; None: as the corpus is.

    Raises:
        PluginError: the plugin's code failed, or what it gave cannot be iterated again and again.
    """
    spec = entry.spec
    assert isinstance(spec, CorpusSpec)
    layout = layout or spec.layout
    source = entry.build(options)
    if layout == "stream" and spec.layout == "lines" and entry.qualified != FILE:
        source = ConcatenatedRecords(source)
    if not isinstance(source, Iterable) or isinstance(source, Iterator):
        raise PluginError(f"{entry.full_label}: load gave {source!r:.60}, not a restartable iterable")
    if valid is not None or test is not None:
        same = {name: value for name, value in options.items() if name not in ("path", "layout")}
        read_as = same if entry.qualified == FILE else {}
        source = PresplitSource(source, *(_held_out(path, read_as, layout) for path in (valid, test)))
    multiline = spec.multiline or layout == "stream"
    said = spec.source, spec.licence, layout, multiline, spec.domain, spec.canonical
    return Corpus(entry.qualified, source, *said, plugin=entry.owner)


def _held_out(path: str | Path | None, read_as: Mapping[str, Any], layout: str) -> Iterable[Record] | None:
    """Held-out records, read with the options of the corpus if that is a file too; plain text has no fields."""
    if path is None:
        return None
    plain = read_as.get("form", "auto") == "auto" and guess_form(Path(path)) is None
    read_as = {name: value for name, value in read_as.items() if not (plain and name in OF_FIELDS)}
    return load_file(path=str(path), layout=layout, **read_as)  # type: ignore[arg-type]


def named_by(naming: Entry, kind: str, name: str, plugins: Plugins) -> Entry:
    """What a spec names, such as the validator of a domain: of its own plugin, if others offer the name too.

    Raises:
        PluginError: no plugin offers it.
    """
    try:
        return plugins.registry.get(kind, name, near=naming)
    except UnknownName:
        hint = plugins.failed_hint()
        raise PluginError(
            f"{naming.full_label} names the {kind} {name!r}, which no plugin offers" + (f" ({hint})" if hint else "")
        ) from None


def provenance(plugins: Plugins, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Package, distribution and version behind some specs, as run.json holds them; of what no index has, its origin."""
    rows, program = [], plugins.plugins["seqgen"].provenance.distribution
    for package in sorted({entry.package for entry in entries}):
        known = plugins.plugins[package].provenance
        own = known.sha256 is None and known.distribution != program  # the program's plugins come with the program
        origin = origin_of(known.distribution) if own else None
        said = {name: value for name, value in vars(known).items() if name != "given" or value}
        rows.append(said | ({"origin": origin} if origin else {}))
    return rows


def option_fields(entry: Entry) -> list[str]:
    """The names of a part's options."""
    return list(entry.options_model().model_fields)


# -- the machine

_KEEP = ((-4, 0), (-1, 2**31 - 1))  # M_MMAP_MAX: map nothing apart; M_TRIM_THRESHOLD: give back only beyond 2 GiB
_AS_BEFORE = ((-4, 1 << 16), (-3, 1 << 25), (-1, 1 << 26))  # what glibc comes to by itself: M_MMAP_THRESHOLD 32 MiB
_keeping: list[None] = []


@contextlib.contextmanager
def keeping_memory() -> Iterator[None]:
    """Within it, with glibc, memory that is freed stays with the process.

    Else large pieces go back to the system at each step and come again as pages of zeros, thousands of them: a fifth
    of the time of a wide model.
    """
    try:
        libc = ctypes.CDLL(None)
        set_option, give_back = libc.mallopt, libc.malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        yield
        return
    if not _keeping:
        for option in _KEEP:
            set_option(*option)
    _keeping.append(None)
    try:
        yield
    finally:
        _keeping.pop()
        if not _keeping:
            for option in _AS_BEFORE:
                set_option(*option)
            give_back(0)


@contextlib.contextmanager
def computing(threads: int | None = None) -> Iterator[None]:
    """Within it torch computes with so many CPU threads; afterwards they and torch's random state are as before."""
    import torch

    before, random_state = torch.get_num_threads(), torch.get_rng_state()
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with keeping_memory():
            yield
    finally:
        torch.set_num_threads(before)
        torch.set_rng_state(random_state)
        if on_gpus:
            torch.cuda.set_rng_state_all(on_gpus)
