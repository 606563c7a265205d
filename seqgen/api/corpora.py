"""Corpora found by name or path, the readers and the domain of files, and corpora opened."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seqgen.addresses import fetch, spool_stdin
from seqgen.api.encoded_corpus import ignore
from seqgen.corpus import (
    NO_READERS,
    ConcatenatedRecords,
    Corpus,
    FileKinds,
    InstalledReader,
    JoinedFiles,
    PresplitSource,
    ReaderRecords,
    Readers,
    ReaderTable,
    Record,
    Table,
    TextFile,
    TrailingNames,
    absolute,
    exists,
    find_places,
    find_repeated,
    is_address,
    is_pattern,
    load_file,
    name_of,
    suffix_of,
    whole_path,
)
from seqgen.errors import (
    BadOption,
    NoSuchFile,
    PluginError,
    SeqgenError,
    UnknownName,
    UsageError,
    close_names,
    nearest_names,
    short_repr,
)
from seqgen.files import code_digest
from seqgen.plugins import Plugins, get_referenced, hint_on_source
from seqgen.registry import Entry
from seqgen.specs import CorpusSpec, DomainSpec, ReaderSpec, spelt_alike

FILE = "seqgen:file"
"""The built-in corpus ``file``; its option ``path`` names the file."""
_OF_FIELDS = ("text_field", "label_field", "fields")
"""Options of the corpus ``file`` that choose fields of a table."""
CorpusName = str | Path | Sequence[str | Path]
"""A registered name, a file, folder, archive or pattern, or several of these."""
_LOOKED_AT = 1000  # files of a folder, when one is missing
_OF_A_LIST = "; seqgen.write_records makes a file of texts in Python"


def sort_out_corpus(
    name: CorpusName, plugins: Plugins, warn: Callable[[str], None] = ignore
) -> tuple[Entry, dict[str, Any]]:
    """Find the corpus that ``--corpus`` names: a registered one, else files; ``./names`` is always a file.

    Args:
        name: a registered name; or a file, a folder, an archive or a pattern, or several of these.
        plugins: where registered corpora come from.
        warn: called with one line for each address, which is fetched.

    Returns:
        The corpus, and the options that the name implies.

    Raises:
        UnknownName: neither.
        NoSuchFile: a path that does not exist.
    """
    names: list[Any] = list(name) if isinstance(name, list | tuple) else [name]
    if not names or not all(isinstance(one, str | Path) and str(one) for one in names):
        raise UsageError(f"a corpus is a registered name or the path of a file, not {short_repr(name)}{_OF_A_LIST}")
    if len(names) > 1:
        found = [_path_of(one, plugins, warn, alone=False) for one in names]
        if repeated := find_repeated(list(map(_fetched, found))):
            more = f" and {len(repeated) - 1:,} more" if len(repeated) > 1 else ""
            warn(f"corpus: {str(repeated[0])!r}{more} given more than once; the records of a file count once")
        return plugins.registry.get("corpus", FILE), {"path": found}
    one = names[0]
    if isinstance(one, str) and plugins.registry.has("corpus", one):
        return plugins.registry.get("corpus", one), {}
    return plugins.registry.get("corpus", FILE), {"path": _path_of(one, plugins, warn)}


def _near(path: Path) -> str:
    """Return the clause that suggests files beside a path that does not exist, or ""."""
    with contextlib.suppress(OSError):
        beside = itertools.islice(path.parent.iterdir(), _LOOKED_AT)
        return nearest_names(path.name, [one.name for one in beside if close_names(path.stem, [one.stem])])
    return ""


def _path_of(name: str | Path, plugins: Plugins, warn: Callable[[str], None], *, alone: bool = True) -> str:
    """Return the absolute path of a file, folder or pattern; an address is fetched and stays what it is."""
    path, text = Path(name), str(name)
    if is_address(text):
        fetch(text, warn)
        return text
    if text == "-":
        return str(spool_stdin())
    if isinstance(name, str) and (hint := hint_on_source(text)):
        raise UnknownName("corpus", text, (), f"{hint}; to read the files of the folder, pass ./{text}")
    if exists(text) or is_pattern(text):
        found = absolute(text)
        if not path.is_file():
            find_places(found)  # refuses what holds no file
        return found
    if os.path.lexists(path):
        raise NoSuchFile(f"no such file: {short_repr(text, 200)} is a link that leads nowhere")
    if not alone and isinstance(name, str) and plugins.registry.has("corpus", text):
        raise UsageError(f"cannot join the corpus {text!r} with files: it is a registered one; pass files only")
    if "/" in text or "\\" in text or path.suffix:
        raise NoSuchFile(f"no such file: {short_repr(text, 200)}{_near(path)}")
    if not alone:
        raise NoSuchFile(
            f"no such file: {short_repr(text, 200)}; a corpus is a registered name or the path of a file, or several "
            f"paths{_OF_A_LIST}"
        )
    hint = "a file with a record a line would do too"
    with contextlib.suppress(OSError):  # a folder that cannot be listed has no such file
        if beside := [path for path in Path().iterdir() if path.name.startswith(f"{text}.")]:
            best = min(beside, key=lambda path: (path.suffix != ".txt", path.name))
            hint = f"a file is named with its ending: {best.name}"
    hint = plugins.failed_hint() or hint
    raise UnknownName("corpus", text, plugins.registry.names("corpus"), hint)


def corpus_options(corpus: Entry, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a corpus in layers, of which later ones win, those of its reader by name.

    Paths of files are made absolute, so that the run can be read from any folder.
    """
    given, of_reader = dict[str, Any](), dict[str, Any]()
    for layer in layers:
        given |= layer
        of_reader |= layer.get("reader_options") or {}
    if corpus.qualified == FILE and isinstance(path := given.get("path"), str):
        given["path"] = whole_path(path)
    elif corpus.qualified == FILE and isinstance(path, list | tuple):
        given["path"] = [whole_path(one) if isinstance(one, str) else one for one in path]
    return given | ({"reader_options": of_reader} if of_reader else {})


def fold_reader_options(assignments: Iterable[tuple[str | None, str, Any]]) -> list[tuple[str | None, str, Any]]:
    """Return assignments with those of the part "reader" as the one option of the corpus that holds them."""
    found = list(assignments)
    own = {name: value for part, name, value in found if part == "reader"}
    rest = [one for one in found if one[0] != "reader"]
    return [*rest, ("corpus", "reader_options", own)] if own else rest


def open_corpus(
    entry: Entry,
    options: Mapping[str, Any],
    valid: str | Path | None = None,
    test: str | Path | None = None,
    layout: str | None = None,
    *,
    divided: bool = False,
    new: bool = False,
    plugins: Plugins | None = None,
) -> Corpus:
    """Open a corpus, ready to be iterated.

    Args:
        entry: a registered corpus.
        options: every option of it.
        valid: a file of validation records, or None.
        test: a file of test records, or None.
        layout: "stream" sees records as one long text; None: as the corpus is.
        divided: whether the split takes validation records from those beside a file of test records.
        new: whether no run has read it yet, so that files of kinds whose lines are no records are refused.
        plugins: where the readers of files come from; None: core reads them.

    Raises:
        CorpusError: a new file is of such a kind, like FASTA, and no option says how to read it.
        PluginError: the plugin's code failed, or what it gave cannot be iterated again and again.
    """
    spec = entry.spec_as(CorpusSpec)
    is_file = entry.qualified == FILE
    options = _locally(options) if is_file else options
    same = dict(options) if is_file else {}
    held = [None if path is None else _fetched(str(path)) for path in (valid, test)]
    readers = _readers_for(same, plugins)
    if new:
        for flag, path in zip(("--valid-file", "--test-file"), held, strict=True):
            if path is not None and not (exists(path) or is_pattern(path)):
                raise NoSuchFile(f"{flag}: no such file: {short_repr(str(path), 200)}{_near(Path(path))}")
        how = _kinds(same | ({"layout": layout} if layout else {}), readers)
        for path in (same.get("path"), *held):
            if path is not None:
                how.refuse_known_formats(path, same.get("encoding", "utf-8"))
    layout = layout or spec.layout
    source = entry.build(options, *([readers] if is_file else ()))
    if layout == "stream" and spec.layout == "lines" and not is_file:
        source = ConcatenatedRecords(source)
    if not isinstance(source, Iterable) or isinstance(source, Iterator):
        raise PluginError(f"{entry.full_label}: load gave {short_repr(source)}, not a restartable iterable")
    if valid is not None or test is not None:
        by_domain = plugins if not is_file and layout == "lines" else None
        options_of = partial(_suiting, entry, by_domain) if by_domain else lambda path: same
        of_valid, of_test = (_held_out(path, options_of, layout, readers) for path in held)
        source = PresplitSource(source, of_valid, of_test, divided)
    multiline = spec.multiline or layout == "stream"
    said = spec.source, spec.licence, layout, multiline, spec.domain, spec.canonical
    opening = {
        "corpus": entry.qualified,
        "options": dict(options),
        "valid": None if valid is None else str(valid),
        "test": None if test is None else str(test),
        "layout": layout,
        "divided": divided,
    }
    return Corpus(entry.qualified, source, *said, plugin=entry.owner, opening=opening)


def open_again(opening: Mapping[str, Any], plugins: Plugins) -> Corpus:
    """Open a corpus in another process, by its attribute ``opening``."""
    entry = plugins.registry.get("corpus", opening["corpus"])
    held, divided = (opening["valid"], opening["test"], opening["layout"]), opening["divided"]
    return open_corpus(entry, entry.options(opening["options"]), *held, divided=divided, plugins=plugins)


def _kinds(options: Mapping[str, Any], readers: Readers) -> FileKinds:
    return FileKinds(options.get("form", "auto"), options.get("layout", "lines"), options.get("separator"), readers)


def _held_out(
    path: str | None, options_of: Callable[[str], Mapping[str, Any]], layout: str, readers: Readers
) -> Iterable[Record] | None:
    """Open a file of held-out records with its options; plain text has no fields, and a table those of the corpus.

    Raises:
        UsageError: it lacks the column that is the text, or the label.
    """
    if path is None:
        return None
    read_as = {name: value for name, value in options_of(path).items() if name not in ("path", "layout")}
    of_file = {name: value for name, value in read_as.items() if name not in _OF_FIELDS}
    opened: Iterable[Record] = load_file(readers, path=path, layout=layout, **of_file)  # type: ignore[arg-type]
    if not _kinds({**read_as, "layout": layout}, readers).has_table(path):
        return opened
    names = opened.field_names() if isinstance(opened, Table) else []
    missing = [read_as[name] for name in ("text_field", "label_field") if read_as.get(name) not in (None, *names)]
    if names and missing:
        alike = next((name for name in names if spelt_alike(name) == spelt_alike(missing[0])), "")
        rename = f"rename its column {alike!r}" if alike else f"it has {', '.join(names)}"
        raise UsageError(
            f"{path!r} has no column {missing[0]!r}, and held-out records need the columns of the corpus; {rename}"
        )
    return load_file(readers, path=path, layout=layout, **read_as)  # type: ignore[arg-type]


def _suiting(corpus: Entry, plugins: Plugins, path: str) -> dict[str, Any]:
    """Return the options by which a file of held-out records is read beside a registered corpus: by its domain."""
    domain = get_referenced(corpus, "domain", corpus.spec_as(CorpusSpec).domain or "text", plugins)
    return read_file_as({"path": path}, plugins, domain)[1]


# -- how files are read: by readers of plugins, and as the domain says that claims them


def _locally(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of the corpus ``file`` with the files in the cache for addresses, which are fetched if need be."""
    path = options.get("path")
    if isinstance(path, str | list):
        return {**options, "path": _fetched(path) if isinstance(path, str) else list(map(_fetched, path))}
    return dict(options)


def _fetched(path: str) -> str:
    """Return a path, or the file in the cache for an address."""
    return str(fetch(path)) if is_address(path) else path


def _readers_for(options: Mapping[str, Any], plugins: Plugins | None) -> Readers:
    """Return the readers by which the corpus ``file`` is read with these options; none without plugins.

    Raises:
        UnknownName: there is no reader of the name that is chosen.
        BadOption: an option of the chosen reader is unknown or impossible.
    """
    if plugins is None:
        return NO_READERS
    own, name = dict(options.get("reader_options") or {}), options.get("reader")
    if name is not None:
        chosen = plugins.registry.get("reader", name, plugins.failed_hint)
        return Readers(chosen=_installed(chosen, chosen.options(own)))
    return Readers([_installed(reader, own) for reader in plugins.registry.entries("reader")])


def _installed(reader: Entry, options: Mapping[str, Any]) -> InstalledReader:
    spec = reader.spec_as(ReaderSpec)
    matches = None if spec.matches is None else reader.matches
    said = reader.qualified, reader.full_label, reader.version, spec.endings, matches, spec.text, spec.table
    return InstalledReader(*said, options, lambda: reader.build(options), lambda: code_digest(reader.load()))


def read_file_as(
    said: Mapping[str, Any],
    plugins: Plugins,
    domain: Entry | None = None,
    before: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Entry, dict[str, Any]]:
    """Find the domain of a file, and the options by which its texts are read.

    The end of the file's name comes first, then the field that is said to be the text, then the names of its fields.

    Args:
        said: options of the corpus ``file`` as far as they are given, ``path`` among them; they are not checked here.
        plugins: where domains come from.
        domain: the domain, if it is known.
        before: columns that the file of another run was read from, which are preferred where this one has them.

    Returns:
        The domain, ``text`` where nothing says more; and options of the corpus for what is not said: the field that
        is the text, that names stand behind the texts, or the reader of all files.

    Raises:
        UsageError: several domains claim the file.
        BadOption: there are options of a reader, and none reads it.
    """
    said = _locally(said)
    sources = _opened(said, plugins)
    source = next((one for one in sources if isinstance(one, Table)), sources[0] if sources else None)
    fields = _field_names(source)
    domain = domain or _domain_of(said, fields, plugins)
    spec = domain.spec_as(DomainSpec)
    known: dict[str, Any] = {}
    if spec.trailing_names and isinstance(source, Table | TextFile | TrailingNames):
        known |= {"trailing_names": True, "headings": [mark + name for mark in ("", "#") for name in spec.columns]}
    if isinstance(source, Table):
        known |= {name: value for name, value in before.items() if value in fields}
    if isinstance(source, Table) and not (said.get("fields") or before.get("fields") or "text_field" in said | known):
        label = said.get("label_field", known.get("label_field"))
        columns = _claimed(spec, [name for name in fields if name != label])
        known |= {"text_field": columns[0]} if columns else {}
    readers = {one.reader.name if isinstance(one, ReaderRecords | ReaderTable) else None for one in sources}
    if readers == {None} and (of_reader := said.get("reader_options")):
        raise BadOption(
            f"cannot use the option {next(iter(of_reader))!r} of a reader: no reader of a plugin reads the file"
        )
    if len(readers) == 1 and (name := readers.pop()) is not None:
        known["reader"] = name  # so that the run is read by it, whatever is installed later
    return domain, known


def _opened(said: Mapping[str, Any], plugins: Plugins) -> list[Iterable[Record]]:
    """Return the sources of the files, as they are read without a choice of fields."""
    corpus = plugins.registry.get("corpus", FILE)
    options = {name: value for name, value in said.items() if name not in _OF_FIELDS}
    with contextlib.suppress(SeqgenError):  # it comes up again, with its message, where the corpus is opened
        source = corpus.build(corpus.options(options), _readers_for(options, plugins))
        return list(source.sources()) if isinstance(source, JoinedFiles) else [source]
    return []


def _field_names(source: Iterable[Record] | None) -> list[str]:
    with contextlib.suppress(SeqgenError):  # as above
        return source.field_names() if isinstance(source, Table) else []
    return []


def _claimed(spec: DomainSpec, fields: Iterable[str]) -> list[str]:
    """Return the fields that a domain claims, the one it prefers first."""
    columns = list(map(spelt_alike, spec.columns))
    found = [(columns.index(spelt_alike(name)), name) for name in fields if spelt_alike(name) in columns]
    return [name for _, name in sorted(found, key=lambda pair: pair[0])]


def _domain_of(said: Mapping[str, Any], fields: Sequence[str], plugins: Plugins) -> Entry:
    domains = [(entry, entry.spec_as(DomainSpec)) for entry in plugins.registry.entries("domain")]
    path = said["path"]
    endings = {suffix_of(name_of(place)) for place in find_places(path)}
    claiming = [entry for entry, spec in domains if endings <= set(spec.endings)]
    what = f"files that end in {' or '.join(sorted(endings))}"
    if not claiming and not said.get("fields"):
        text = said.get("text_field")
        considered = [name for name in fields if name != said.get("label_field")] if text is None else [str(text)]
        claiming = [entry for entry, spec in domains if _claimed(spec, considered)]
        what = f"the fields of {path!r}"
    if len(claiming) > 1:
        names = " or ".join(f"--domain {entry.qualified}" for entry in claiming)
        raise UsageError(f"{what} belong to several domains; say which: {names}")
    return claiming[0] if claiming else plugins.registry.get("domain", "seqgen:text")
