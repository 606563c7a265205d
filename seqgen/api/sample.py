"""Drawing rows from a run: what ``Run.sample``, ``Run.top`` and their commands give."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from seqgen.api.conditioning import Wishes
from seqgen.api.constrained import constrained_rows
from seqgen.api.corpus_checks import splitter_of
from seqgen.api.environment import computing
from seqgen.config import build_options
from seqgen.errors import BadOption, UsageError
from seqgen.protocols import Verdict

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.protocols import Processor
    from seqgen.sampling import RowFilter, Sample, Top

Decoding = Literal["draw", "beam", "gumbel"]
"""Rows drawn one by one; the likeliest that a beam finds; rows drawn without replacement."""
Processors = Mapping[str, Mapping[str, Any]] | Iterable[str]
"""Decoding steps by registered name, to their options or with the defaults."""
_CHUNK = 20_000  # training records that texts are compared with in one go


@dataclass(frozen=True)
class Filters:
    """Which rows are kept.

    Attributes:
        unique: no canonical form twice.
        valid: only what the domain's validator accepts.
        novel: no canonical form that has been trained on.
        min_edit: the least edit distance from every training record; 0: none.
        effort: rows looked at, at most; None: 200 for each one asked, at least 20,000.
    """

    unique: bool = False
    valid: bool = False
    novel: bool = False
    min_edit: int = 0
    effort: int | None = None

    def any(self) -> bool:
        """Whether a row may be left out."""
        return self.unique or self.valid or self.novel or self.min_edit > 0


def iter_rows(
    run: Run,
    n: int,
    filters: Filters,
    wishes: Wishes,
    decode: Decoding,
    processors: Processors,
    options: Mapping[str, Any],
    warn: Callable[[str], None],
) -> Iterator[Sample]:
    """Draw rows one after another; see :meth:`seqgen.Run.iter_samples` for what they mean and what is raised."""
    if not isinstance(n, int) or n < 0:
        raise BadOption(f"the number of rows must be a whole number, at least 0, not {n!r}")
    if decode not in get_args(Decoding):
        raise BadOption(f"rows are decoded by {', '.join(get_args(Decoding))}, not {decode!r}")
    from seqgen.sampling import Sampler, beam_rows, filter_rows

    wanted = _wanted(run, filters)
    with computing(run.settings.engine.threads):
        sampler: Sampler = _decoder(Sampler, run, wishes, processors, options)
        exact = sampler.constraint is not None and sampler.constraint.exact
        if decode != "draw":
            if filters.any() or exact:
                raise UsageError(f"rows by {decode} know of one another, so none can be left out: drop the filters")
            yield from beam_rows(sampler, n, replace=decode == "beam")[:n] if n else ()
        elif filters.any() or exact:
            if exact:
                wanted = replace(wanted, satisfies=sampler.satisfies)
            rows = sampler.rows()
            if sampler.constraint is not None and not exact:
                rows = constrained_rows(run, sampler, 0, warn)
            yield from filter_rows(rows, n, wanted, filters.effort)
        elif sampler.constraint is not None:
            yield from itertools.islice(constrained_rows(run, sampler, n, warn), n) if n else ()
        else:
            yield from sampler.take(n)


def find_top(
    run: Run,
    n: int,
    n_nodes: int,
    wishes: Wishes,
    processors: Processors,
    options: Mapping[str, Any],
) -> Top:
    """The most probable rows; see :meth:`seqgen.Run.top`."""
    for name, value in (("number of rows", n), ("effort", n_nodes)):
        if not isinstance(value, int) or value < 1:
            raise BadOption(f"the {name} must be a whole number, at least 1, not {value!r}")
    from seqgen.sampling import Decoder, top_rows

    with computing(run.settings.engine.threads):
        return top_rows(_decoder(Decoder, run, wishes, processors, options), n, n_nodes)


def _wanted(run: Run, filters: Filters) -> RowFilter:
    from seqgen.sampling import RowFilter

    if filters.valid and run.validator is None:
        domain = run.settings.corpus.domain.rpartition(":")[2]
        raise UsageError(f"the domain {domain!r} of this run has no validator, so nothing is known to be valid")
    if (filters.novel or filters.min_edit) and not run.vocabulary.ends:
        raise UsageError("this run learned one long text, which has no records to be new beside")

    def known(forms: set[str]) -> set[str]:
        return {form for form, where in run.where(sorted(forms)).items() if where == "train"}

    if (filters.unique or filters.novel) and run.lacking:
        run.warn(f"{run.lacking}; without it rows are compared as they stand")

    def verdict(text: str) -> Verdict:
        return Verdict(True) if run.lacking else run.verdict(text)

    near = _nearness(run, filters.min_edit) if filters.min_edit else None
    return RowFilter(verdict, filters.valid, filters.unique, known if filters.novel else None, near)


def _nearness(run: Run, min_edit: int) -> Callable[[set[str]], set[str]]:
    """Which of some texts are less than ``min_edit`` insertions, deletions and exchanges from a training record."""
    from seqgen.evaluation import edit_distance

    distance, cdist = edit_distance("--min-edit")

    def near(texts: set[str]) -> set[str]:
        splitter, found = splitter_of(run.settings), set[str]()
        training = (record.text for record in run.learned if splitter.part(record) == "train")
        while chunk := list(itertools.islice(training, _CHUNK)):
            asked = sorted(texts - found)
            distances = cdist(asked, chunk, scorer=distance.distance, score_cutoff=min_edit - 1)
            found.update(text for text, least in zip(asked, distances.min(1), strict=True) if least < min_edit)
        return found

    return near


def _decoder(kind: Any, run: Run, wishes: Wishes, processors: Processors, options: Mapping[str, Any]) -> Any:
    from seqgen.sampling import SampleSettings

    given = {name: value for name, value in options.items() if value is not None}
    given["prefix"] = wishes.prefix + str(given.get("prefix", ""))
    known = {"max_length": run.settings.max_length}
    settings = SampleSettings(**build_options(SampleSettings, known | given, "sample"))
    if settings.guidance != 1 and not wishes.conditions:
        raise UsageError("guidance strengthens what is asked by a label or condition: give --label or --given")
    registry = run.plugins.registry
    if not isinstance(processors, Mapping):
        processors = {name: {} for name in ([processors] if isinstance(processors, str) else processors)}
    steps: list[Processor] = [registry.get("processor", name).use(values) for name, values in processors.items()]
    multiline = run.settings.corpus.multiline
    return kind(run.model, run.vocabulary, settings, multiline=multiline, processors=steps, given=wishes.conditions)
