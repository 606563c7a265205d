"""Checks of corpora: the same records each time, as the spec declares them."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from seqgen.corpus import Record, Survey, survey
from seqgen.errors import CorpusError, MissingExtra, PluginError, short_repr
from seqgen.process_state import record_changes
from seqgen.signals import reraise_signal
from seqgen.testing.check import Subject
from seqgen.testing.other_processes import NOT_TRIED, results
from seqgen.testing.registry import find_spec
from seqgen.testing.validators import MIN_ACCEPTED, refusals

_MIN_VALIDATED = 1000  # records validated at least, evenly spaced
_FIRST = 100  # records compared between iterations


@dataclass
class _Findings:
    """The findings of two loads with one pass over the records of each, shared since a corpus may be slow to read.

    Attributes:
        failure: the exception that ended the reading; None if both passes were complete.
        problems: the first problem by name of the check.
        digests: of the two passes.
        first: the first records.
        again: the same records, iterated again over the first load.
        texts: texts of records, evenly spaced.
        connections: addresses that it tried to connect to.
        changed: settings of the process that it changed.
        n_records: number of records.
    """

    failure: BaseException | None = None
    problems: dict[str, str] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    first: list[Record] = field(default_factory=list)
    again: list[Record] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    n_records: int = 0


def _findings(subject: Subject) -> _Findings:
    return subject.once("findings", lambda: _load_twice(subject))


def _complete(subject: Subject) -> _Findings:
    """Return the findings of complete passes; raise what ended the reading, which is no fault of another kind."""
    findings = _findings(subject)
    if isinstance(findings.failure, CorpusError | PluginError):
        raise AssertionError(str(findings.failure)) from findings.failure
    if findings.failure is not None:
        raise findings.failure
    return findings


def _load_twice(subject: Subject) -> _Findings:
    spec, findings = subject.spec, _Findings()
    with (
        record_changes(findings.changed),
        contextlib.nullcontext() if spec.network else _no_network(findings.connections),
    ):
        try:
            loaded = subject.build()
            if not isinstance(loaded, Iterable):
                raise PluginError(f"load gave {short_repr(loaded)}, not a restartable iterable")
            for source in (_observe(loaded, spec, findings), subject.build()):
                found = Survey()
                for _ in survey(source, spec.name, found):
                    pass
                findings.digests.append(found.digest)
            findings.n_records = found.n_records
            findings.again = list(itertools.islice(loaded, _FIRST))
        except MissingExtra:
            raise
        except (Exception, SystemExit) as error:
            reraise_signal()
            findings.failure = error
    return findings


def _observe(records: Iterable[Record], spec: Any, findings: _Findings) -> Iterator[Record]:
    """Yield the records, recording what the checks need."""
    lines, step = spec.layout == "lines", 1
    for number, record in enumerate(records):
        if isinstance(record, Record) and isinstance(record.text, str):  # others are refused by the survey
            if lines and not record.text.strip():
                findings.problems.setdefault("records", "a record is blank")
            if lines and not spec.multiline and ("\n" in record.text or "\r" in record.text):
                findings.problems.setdefault(
                    "line ends", f"{short_repr(record.text, 80)} has a line end, and multiline is not set"
                )
            if spec.labels and record.label not in spec.labels:
                findings.problems.setdefault("labels", f"the label {record.label!r} is not declared: {spec.labels}")
            if number < _FIRST:
                findings.first.append(record)
            if number % step == 0:
                findings.texts.append(record.text)
            if len(findings.texts) == 2 * _MIN_VALIDATED:
                findings.texts, step = findings.texts[::2], 2 * step
        yield record


@contextlib.contextmanager
def _no_network(connections: list[str]) -> Iterator[None]:
    """Refuse network access of this process within the context, and record the addresses."""

    def refuse(*arguments: Any, **named: Any) -> Any:
        address = arguments[1] if isinstance(arguments[0], socket.socket) else arguments[:2]
        connections.append(str(address))
        raise OSError(f"network access is disabled: {address}")

    with (
        mock.patch.object(socket, "getaddrinfo", refuse),
        mock.patch.multiple(socket.socket, connect=refuse, connect_ex=refuse),
    ):
        yield


def _assert_no(subject: Subject, check: str) -> None:
    problem = _complete(subject).problems.get(check)
    assert problem is None, problem


def offline(subject: Subject) -> str:
    """Check that loading uses no network unless the spec declares it."""
    if subject.spec.network:
        return "declared to need the network"
    addresses = _findings(subject).connections
    assert not addresses, f"loading connects to {addresses[0]}: set network=True, or ship the data"
    return ""


def records(subject: Subject) -> str:
    """Check that there is at least one record, that all are seqgen.Record, and that none is blank."""
    _assert_no(subject, "records")
    return f"{_findings(subject).n_records} records"


def line_ends(subject: Subject) -> None:
    """Check that only a multiline corpus has line ends in its records."""
    _assert_no(subject, "line ends")


def labels(subject: Subject) -> None:
    """Check that each record has one of the declared labels, if any are declared."""
    _assert_no(subject, "labels")


def restartable(subject: Subject) -> None:
    """Check that a second iteration gives the same records in the same order."""
    findings = _complete(subject)
    assert not isinstance(subject.build(), Iterator), (
        "load returns an iterator, which can be used once: return an iterable that starts anew"
    )
    assert findings.again == findings.first, "iterated again it gives different records"


def digest(subject: Subject) -> None:
    """Check that a second load has the same digest, which resumed runs compare."""
    first, *others = _complete(subject).digests
    assert others == [first], "loaded again it gives different records"


def across_processes(subject: Subject) -> str:
    """Check that the first records are the same in processes whose sets have another order; not over the network."""
    if subject.spec.network:
        return "not tried: it needs the network"
    _complete(subject)  # here, where a missing package has its own error
    found = results("digest", subject)
    assert all(one == found[0] for one in found), (
        "records differ from process to process, which no run can be resumed with: sort what comes from a set"
    )
    return "" if found else NOT_TRIED


def global_state(subject: Subject) -> None:
    """Check that loading leaves random states, torch's settings and the current folder unchanged."""
    changed = _findings(subject).changed
    assert not changed, f"it changes {' and '.join(changed)} for the whole process"


def licence(subject: Subject) -> None:
    """Check that the licence of the data is stated."""
    assert subject.spec.licence.strip(), "licence is empty: state the terms of use of the data"


def valid(subject: Subject) -> str:
    """Check that the validator of its domain accepts at least 99% of its records."""
    spec = subject.spec
    if spec.domain is None:
        return ""
    domain = find_spec("domain", spec.domain, subject.siblings)
    assert domain is not None, f"its domain {spec.domain!r} does not exist"
    if domain.validator is None:
        return ""
    validator = find_spec("validator", domain.validator, subject.siblings)
    assert validator is not None, f"the validator {domain.validator!r} of its domain does not exist"
    texts = _complete(subject).texts
    refused = refusals(Subject(validator, {}).build(), texts, canonical=spec.canonical)
    share = 1 - len(refused) / max(1, len(texts))
    assert share >= MIN_ACCEPTED, f"{validator.name} accepts {share:.1%} of it, and refuses {refused[0]!r}"
    return "" if share == 1 else f"{share:.2%} of {len(texts)} accepted"
