"""The domain of a user's file, and the options by which its texts are read, from its name and its fields."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgen.api.environment import OF_FIELDS
from seqgen.corpus import Table, TextFile, TrailingNames, file_suffix
from seqgen.errors import SeqgenError, UsageError
from seqgen.plugins import Plugins
from seqgen.registry import Entry
from seqgen.specs import DomainSpec


def read_file_as(
    corpus: Entry, said: Mapping[str, Any], plugins: Plugins, domain: Entry | None = None
) -> tuple[Entry, dict[str, Any]]:
    """Find what the texts of a file are, and which options read them from it.

    The end of the file's name comes first, then the field that is said to be the text, then the names of its fields.

    Args:
        corpus: the corpus ``file``.
        said: its options as far as they are given, ``path`` among them; they are not checked here.
        plugins: where domains come from.
        domain: the domain, if it is known.

    Returns:
        The domain, ``text`` where nothing says more; and options of the corpus for what is not said: the field that
        is the text, or that names stand behind the texts.

    Raises:
        UsageError: several domains claim the file.
    """
    source = _opened(corpus, said)
    fields = _field_names(source)
    domain = domain or _domain_of(Path(said["path"]), said, fields, plugins)
    spec = domain.spec
    assert isinstance(spec, DomainSpec)
    known: dict[str, Any] = {"trailing_names": True} if spec.trailing_names and source is not None else {}
    if isinstance(source, Table) and not (said.get("text_field") or said.get("fields")):
        columns = _claimed(spec, [name for name in fields if name != said.get("label_field")])
        known |= {"text_field": columns[0]} if columns else {}
    return domain, known


def _opened(corpus: Entry, said: Mapping[str, Any]) -> Table | TextFile | None:
    """Return the file as it is read without a choice of fields; None where a record is no line or row."""
    options = {name: value for name, value in said.items() if name not in OF_FIELDS}
    with contextlib.suppress(SeqgenError):  # it comes up again, with its message, where the corpus is opened
        source = corpus.build(corpus.options(options))
        return (
            source.file
            if isinstance(source, TrailingNames)
            else source
            if isinstance(source, Table | TextFile)
            else None
        )
    return None


def _field_names(source: Table | TextFile | None) -> list[str]:
    with contextlib.suppress(SeqgenError):  # as above
        return source.field_names() if isinstance(source, Table) else []
    return []


def _claimed(spec: DomainSpec, fields: Iterable[str]) -> list[str]:
    """Return the fields that a domain claims, the one it prefers first."""
    found = [(spec.columns.index(name.casefold()), name) for name in fields if name.casefold() in spec.columns]
    return [name for _, name in sorted(found, key=lambda pair: pair[0])]


def _domain_of(path: Path, said: Mapping[str, Any], fields: Sequence[str], plugins: Plugins) -> Entry:
    domains = [
        (entry, entry.spec) for entry in plugins.registry.entries("domain") if isinstance(entry.spec, DomainSpec)
    ]
    ending = file_suffix(path)
    claiming, what = [entry for entry, spec in domains if ending in spec.endings], f"files that end in {ending}"
    if not claiming and not said.get("fields"):
        text = said.get("text_field")
        considered = [name for name in fields if name != said.get("label_field")] if text is None else [str(text)]
        claiming = [entry for entry, spec in domains if _claimed(spec, considered)]
        what = f"the fields of {str(path)!r}"
    if len(claiming) > 1:
        names = " or ".join(f"--domain {entry.qualified}" for entry in claiming)
        raise UsageError(f"{what} belong to several domains; say which: {names}")
    return claiming[0] if claiming else plugins.registry.get("domain", "seqgen:text")
