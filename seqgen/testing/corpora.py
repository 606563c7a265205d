"""What corpora promise: records that are the same each time, and are what the spec says."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from seqgen.corpus import Record, Survey, survey
from seqgen.errors import CorpusError, PluginError
from seqgen.testing.check import Subject
from seqgen.testing.process_state import record_changes
from seqgen.testing.registry import find_spec
from seqgen.testing.validators import check_form

_JUDGED = 1000  # records shown to the validator, at least, evenly spaced
_FIRST = 100  # records looked at once more
_ACCEPTED = 0.99


@dataclass
class _Facts:
    """What two loads tell, by a pass over the records of each; some corpora are slow to read.

    Attributes:
        complaints: the first that was found, by promise.
        digests: of the two passes.
        first: the first records.
        again: the same, iterated once more over what was loaded first.
        texts: some of all records' texts, evenly spaced.
        connections: where it wanted to connect to.
        changed: what it changed for the whole process.
        n_records: how many records there are.
    """

    complaints: dict[str, str] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    first: list[Record] = field(default_factory=list)
    again: list[Record] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    n_records: int = 0


def _facts(subject: Subject) -> _Facts:
    return subject.once("facts", lambda: _look(subject))


def _look(subject: Subject) -> _Facts:
    spec, facts = subject.spec, _Facts()
    with record_changes(facts.changed), contextlib.nullcontext() if spec.network else _no_network(facts.connections):
        try:
            loaded = subject.build()
            for source in (_noted(loaded, spec, facts), subject.build()):
                found = Survey()
                for _ in survey(source, spec.name, found):
                    pass
                facts.digests.append(found.digest)
            facts.n_records = found.n_records
            facts.again = list(itertools.islice(loaded, _FIRST))
        except (CorpusError, PluginError) as error:
            if not facts.connections:
                facts.complaints.setdefault("records", str(error))
    return facts


def _noted(records: Iterable[Record], spec: Any, facts: _Facts) -> Iterator[Record]:
    """The records, while what is to be said of each is noted."""
    lines, step = spec.layout == "lines", 1
    for number, record in enumerate(records):
        if isinstance(record, Record):
            if lines and not record.text.strip():
                facts.complaints.setdefault("records", "there is a blank record")
            if lines and not spec.multiline and ("\n" in record.text or "\r" in record.text):
                facts.complaints.setdefault(
                    "line ends", f"{record.text!r:.80} has a line end, and multiline is not set"
                )
            if spec.labels and record.label not in spec.labels:
                facts.complaints.setdefault("labels", f"the label {record.label!r} is not declared: {spec.labels}")
            if number < _FIRST:
                facts.first.append(record)
            if number % step == 0:
                facts.texts.append(record.text)
            if len(facts.texts) == 2 * _JUDGED:
                facts.texts, step = facts.texts[::2], 2 * step
        yield record


@contextlib.contextmanager
def _no_network(connections: list[str]) -> Iterator[None]:
    """Within it this process can reach nobody; who is called is noted."""

    def refuse(*arguments: Any, **named: Any) -> Any:
        called = arguments[1] if isinstance(arguments[0], socket.socket) else arguments[:2]
        connections.append(str(called))
        raise OSError(f"no network here: {called}")

    lookup, connect, connect_ex = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex
    socket.getaddrinfo = refuse
    socket.socket.connect = socket.socket.connect_ex = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.getaddrinfo = lookup
        socket.socket.connect, socket.socket.connect_ex = connect, connect_ex  # type: ignore[method-assign]


def _require(subject: Subject, promise: str) -> None:
    complaint = _facts(subject).complaints.get(promise)
    assert complaint is None, complaint


def offline(subject: Subject) -> str:
    """Loading does without the network, unless the spec says that it is needed."""
    if subject.spec.network:
        return "declared: it needs the network"
    called = _facts(subject).connections
    assert not called, f"loading calls {called[0]}: set network=True, or ship the data"
    return ""


def records(subject: Subject) -> str:
    """It gives records (seqgen.Record), none of them blank, and at least one."""
    _require(subject, "records")
    return f"{_facts(subject).n_records} records"


def line_ends(subject: Subject) -> None:
    """Only a multiline corpus has line ends in its records."""
    _require(subject, "line ends")


def labels(subject: Subject) -> None:
    """Where labels are declared, each record has one of them."""
    _require(subject, "labels")


def restartable(subject: Subject) -> None:
    """Iterated again, it gives the same records in the same order."""
    facts = _facts(subject)
    assert not isinstance(subject.build(), Iterator), "load gives an iterator, which ends: give what can start anew"
    assert facts.again == facts.first, "iterated again it gives other records"


def digest(subject: Subject) -> None:
    """Loaded again it has the same digest, which resumed runs compare."""
    first, *others = _facts(subject).digests or [""]
    assert others == [first], "loaded again it gives other records"


def global_state(subject: Subject) -> None:
    """Loading leaves random numbers, torch's settings and the current folder as they were."""
    changed = _facts(subject).changed
    assert not changed, f"it changes {' and '.join(changed)} for the whole process"


def licence(subject: Subject) -> None:
    """It says under which terms its data may be used."""
    assert subject.spec.licence.strip(), "licence is empty: say under which terms the data may be used"


def valid(subject: Subject) -> str:
    """The validator of its domain accepts at least 99 % of its records."""
    spec = subject.spec
    if spec.domain is None:
        return ""
    domain = find_spec("domain", spec.domain, subject.siblings)
    assert domain is not None, f"its domain {spec.domain!r} does not exist"
    if domain.validator is None:
        return ""
    validator = find_spec("validator", domain.validator, subject.siblings)
    assert validator is not None, f"the validator {domain.validator!r} of its domain does not exist"
    judge, texts = Subject(validator, {}).build(), _facts(subject).texts
    refused = []
    for text in texts:
        verdict = judge.validate(text)
        if not verdict.ok:
            refused.append((text, verdict.reason))
            continue
        check_form(judge, text, verdict)
        if spec.canonical:
            form = verdict.form(text)
            assert form == text, f"its spec says canonical=True, and {text!r:.60} has the canonical form {form!r:.60}"
    share = 1 - len(refused) / max(1, len(texts))
    assert share >= _ACCEPTED, f"{validator.name} accepts {share:.1%} of it, and refuses {refused[0]!r}"
    return "" if share == 1 else f"{share:.2%} of {len(texts)} accepted"
