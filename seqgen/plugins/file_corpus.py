"""The corpus ``file`` beside plugins: the readers of its files, and the domain that claims them.

The domain decides how texts are read where the user says nothing: the field that is the text, names behind the texts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from seqgen.addresses import fetch
from seqgen.corpus import (
    NO_READERS,
    InstalledReader,
    JoinedFiles,
    ReaderRecords,
    Readers,
    ReaderTable,
    Record,
    Table,
    TextFile,
    TrailingNames,
    find_places,
    is_address,
    name_of,
    suffix_of,
)
from seqgen.errors import BadOption, SeqgenError, UsageError
from seqgen.files import code_digest
from seqgen.plugins.manager import Plugins
from seqgen.registry import Entry
from seqgen.specs import DomainSpec, ReaderSpec, spelt_alike

FILE = "seqgen:file"
"""The built-in corpus ``file``; its option ``path`` names the file."""
OF_FIELDS = ("text_field", "label_field", "fields")
"""Options of the corpus ``file`` that choose fields of a table."""


def locally(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of the corpus ``file`` with the files in the cache for addresses, which are fetched if need be."""
    path = options.get("path")
    if isinstance(path, str | list):
        return {**options, "path": fetched(path) if isinstance(path, str) else list(map(fetched, path))}
    return dict(options)


def fetched(path: str) -> str:
    """Return a path, or the file in the cache for an address."""
    return str(fetch(path)) if is_address(path) else path


def readers_for(options: Mapping[str, Any], plugins: Plugins | None) -> Readers:
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
    spec = reader.spec
    assert isinstance(spec, ReaderSpec)
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
    said = locally(said)
    sources = _opened(said, plugins)
    source = next((one for one in sources if isinstance(one, Table)), sources[0] if sources else None)
    fields = _field_names(source)
    domain = domain or _domain_of(said, fields, plugins)
    spec = domain.spec
    assert isinstance(spec, DomainSpec)
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
    options = {name: value for name, value in said.items() if name not in OF_FIELDS}
    with contextlib.suppress(SeqgenError):  # it comes up again, with its message, where the corpus is opened
        source = corpus.build(corpus.options(options), readers_for(options, plugins))
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
    domains = [
        (entry, entry.spec) for entry in plugins.registry.entries("domain") if isinstance(entry.spec, DomainSpec)
    ]
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
