"""Drawing rows from a run: what ``Run.sample`` and ``seqgen sample`` give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from seqgen.api.setup import computing
from seqgen.api.wishes import Wishes
from seqgen.config import build_options
from seqgen.errors import BadOption, UsageError

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.protocols import Processor
    from seqgen.sampling import Sample, Sampler, Wanted


def iter_rows(
    run: Run,
    n: int,
    filters: Mapping[str, bool],
    wishes: Wishes,
    processors: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any],
) -> Iterator[Sample]:
    """Draw rows one after another; see :meth:`seqgen.Run.iter_samples` for what they mean and what is raised."""
    if not isinstance(n, int) or n < 0:
        raise BadOption(f"the number of rows must be a whole number, at least 0, not {n!r}")
    from seqgen.sampling import wanted_rows

    sampler = _sampler(run, wishes, processors, options)
    rows = wanted_rows(sampler.rows(), n, _wanted(run, **filters)) if any(filters.values()) else sampler.take(n)
    with computing(run.settings.engine.threads):
        yield from rows


def _wanted(run: Run, *, unique: bool, valid: bool, novel: bool) -> Wanted:
    from seqgen.sampling import Wanted

    if valid and run.validator is None:
        domain = run.settings.corpus.domain.rpartition(":")[2]
        raise UsageError(f"the domain {domain!r} of this run has no validator, so nothing is known to be valid")
    if novel and not run.vocabulary.ends:
        raise UsageError("this run learned one long text, which has no records to be new beside")

    def known(forms: set[str]) -> set[str]:
        return {form for form, where in run.where(sorted(forms)).items() if where == "train"}

    return Wanted(run.verdict, valid, unique, known if novel else None)


def _sampler(
    run: Run, wishes: Wishes, processors: Mapping[str, Mapping[str, Any]], options: Mapping[str, Any]
) -> Sampler:
    from seqgen.sampling import Sampler, SampleSettings

    given = {name: value for name, value in options.items() if value is not None}
    given["prefix"] = wishes.prefix + str(given.get("prefix", ""))
    known = {"max_length": run.settings.max_length}
    settings = SampleSettings(**build_options(SampleSettings, known | given, "sample"))
    registry = run.plugins.registry
    steps: list[Processor] = [registry.get("processor", name).build(values) for name, values in processors.items()]
    multiline = run.settings.corpus.multiline
    return Sampler(run.model, run.vocabulary, settings, multiline=multiline, processors=steps, given=wishes.conditions)
