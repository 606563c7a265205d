"""Sampling from a run: rows, and the most probable rows."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from seqgen import __version__
from seqgen.api.conditioning import Conditioning, prefix_warning
from seqgen.compute import computing, in_turns, keeping_memory
from seqgen.config import DecodeConfig, SampleConfig, as_whole
from seqgen.errors import SeqgenError, TooFewRows, UsageError, short_repr
from seqgen.files import code_digest, dump_json
from seqgen.protocols import Verdict

if TYPE_CHECKING:
    from seqgen.api.open_run import OpenRun
    from seqgen.protocols import Processor
    from seqgen.sampling import Bound, Grammar, Remember, RowFilter, Sample, SampleBatch, Sampler, Top, Way

_CHUNK = 20_000  # training records that texts are compared with at a time
_SMALL = 0.01  # probability below which it is written as one in so many
_NEGLIGIBLE = 1e-15  # below which its number says nothing
_READ, _RECORDS = 20_000, 500  # records, and those of them that show whether a grammar fits
_LONG = 0.9  # of the length limit
_MANY = 0.2  # of the rows
_MOST_OFF = 0.05  # share of a distribution up to which rows are approximately exact


def iter_rows(
    run: OpenRun,
    n: int,
    config: SampleConfig,
    warn: Callable[[str], None],
    on_tried: Callable[[int], None] | None = None,
    check: Callable[[], None] | None = None,
    on_examined: Callable[[Sample], Sample] | None = None,
) -> Iterator[Sample]:
    """Yield rows one after another; see :meth:`seqgen.Run.iter_samples` for errors.

    Args:
        run: the run.
        n: number of rows, unless the configuration has a range.
        config: the settings.
        warn: called with one line for each warning.
        on_tried: called with the number of rows sampled so far, where some may be rejected.
        check: called before each symbol is sampled; may raise.
        on_examined: called with each row of a range that filters examine, and returns it.
    """
    n = as_whole(n, 0, "number of rows")
    with contextlib.closing(_iter_rows(run, n, config, warn, on_tried, check, on_examined)) as rows:
        yield from in_turns(run.settings.engine.threads, rows)


def _iter_rows(
    run: OpenRun,
    n: int,
    config: SampleConfig,
    warn: Callable[[str], None],
    on_tried: Callable[[int], None] | None,
    check: Callable[[], None] | None,
    on_examined: Callable[[Sample], Sample] | None,
) -> Generator[Sample, None, None]:
    from seqgen.sampling import Sampler, filter_rows, passing_rows

    row_filter = _row_filter(run, config)
    sampler: Sampler = _decoder(Sampler, run, config)
    _warn_of_needless(run, config, warn)
    if line := prefix_warning(sampler):
        warn(line)
    sampler = sampler.spanning(config.rows or (0, None), on_tried, check)
    if config.fast and (problem := _fast_problem(run, config, sampler)):
        raise UsageError(f"cannot apply --fast: {problem}; drop --fast")
    if config.decode != "sample":
        if config.filters or config.exact or config.rows:
            dropped = "--exact" if config.exact else "--rows" if config.rows else "the filters"
            raise UsageError(f"rows by {config.decode} depend on one another, so none can be rejected: drop {dropped}")
        yield from _searched_rows(sampler, n, config, warn) if n else ()
    elif config.filters or config.exact:
        if config.exact:
            row_filter = replace(row_filter, satisfies=sampler.satisfies)
        rows = sampler.rows() if config.exact else constrained_rows(run, sampler, 0, config, warn)
        if config.rows:
            seen = rows if on_examined is None else map(on_examined, rows)
            yield from passing_rows(seen, row_filter)
        else:
            yield from filter_rows(rows, n, row_filter, config.effort)
    elif config.rows:
        yield from constrained_rows(run, sampler, 0, config, warn)
    elif sampler.constraint is not None:
        yield from itertools.islice(constrained_rows(run, sampler, n, config, warn), n) if n else ()
    else:
        yield from sampler.take(n)


def _warn_of_needless(run: OpenRun, config: SampleConfig, warn: Callable[[str], None]) -> None:
    """Warn of texts to avoid with a character that no symbol has, such as several texts that commas join to one."""
    pieces = run.vocabulary.pieces() if config.avoid and not config.ignore_case else None
    if pieces is None:
        return
    known = {*b"".join(pieces)}
    never = {
        text: char for text in config.avoid for char in text if not known.issuperset(char.encode(errors="replace"))
    }
    if never:
        (text, char), n_texts = next(iter(never.items())), len(config.avoid)
        which = f"{len(never)} of {n_texts} texts, such as {short_repr(text)}," if n_texts > 1 else short_repr(text)
        hint = "; repeat --avoid for several texts" if "," in text else ""
        warn(f"--avoid: {which} cannot occur, since no symbol of this run has {char!r}{hint}")


@contextlib.contextmanager
def open_batch(run: OpenRun) -> Iterator[SampleBatch]:
    """Open a batch of requests; see :meth:`seqgen.Run.sample_batch`."""
    from seqgen.sampling import SampleBatch, Sampler

    def make_sampler(settings: Mapping[str, Any]) -> Sampler:
        config = SampleConfig.validated(settings)
        sampler: Sampler = _decoder(Sampler, run, config)
        others = config.filters or config.exact or config.fast or config.rows or config.decode != "sample"
        if others or sampler.constraint is not None or config.guidance != 1:
            raise UsageError("rows of a batch have no constraints, filters or guidance: sample them by run.sample")
        return sampler

    threads = run.settings.engine.threads
    with keeping_memory(), SampleBatch(make_sampler, functools.partial(computing, threads)) as batch:
        yield batch


def _searched_rows(sampler: Sampler, n: int, config: SampleConfig, warn: Callable[[str], None]) -> list[Sample]:
    """Return the rows of a beam, and say so where there are fewer than wanted.

    Raises:
        TooFewRows: there are none.
    """
    from seqgen.sampling import beam_rows

    rows = beam_rows(sampler, n, replace=config.decode == "beam")[:n]
    if len(rows) < n:
        of = "prefixes satisfy the constraint" if sampler.constraint is not None else "rows are possible"
        line = f"--decode {config.decode} found {len(rows):,} of {n:,} rows: no other {of} among the best that it keeps"
        if not rows:
            raise TooFewRows(f"{line}; a larger -n keeps more, and without --decode rows are sampled")
        warn(line)
    return rows


def find_top(run: OpenRun, n: int, n_nodes: int, config: DecodeConfig) -> Top:
    """Return the most probable rows; see :meth:`seqgen.Run.top`."""
    n, n_nodes = as_whole(n, 1, "number of rows"), as_whole(n_nodes, 1, "effort")
    from seqgen.sampling import Decoder, top_rows

    config = config.model_copy(update={"exact": False})  # which rejects sampled rows; here a constraint removes rows
    with computing(run.settings.engine.threads):
        decoder = _decoder(Decoder, run, config)
        if line := prefix_warning(decoder):
            run.warn(line)
        return top_rows(decoder, n, n_nodes)


def _row_filter(run: OpenRun, config: SampleConfig) -> RowFilter:
    from seqgen.sampling import RowFilter

    if config.valid and run.validator is None:
        raise UsageError(f"--valid needs a validator, and the domain {run.domain!r} of this run has none: leave it out")
    if (config.novel or config.min_edit) and not run.vocabulary.ends:
        raise UsageError("--novel and --min-edit need records, and this run was trained on one long text")

    def known(forms: set[str]) -> set[str]:
        return {form for form, where in run.where(sorted(forms)).items() if where == "train"}

    if (config.unique or config.novel) and run.lacking:
        run.warn(f"{run.lacking}; without it rows are compared as they stand")

    def verdict(text: str) -> Verdict:
        return Verdict(True) if run.lacking else run.verdict(text)

    near = _nearness(run, config.min_edit) if config.min_edit else None
    known_of = known if config.novel else None
    return RowFilter(verdict, config.valid, config.unique, known_of, near, ends=run.vocabulary.ends)


def _nearness(run: OpenRun, min_edit: int) -> Callable[[set[str]], set[str]]:
    """Return a function that finds texts less than ``min_edit`` edits from a training record."""
    from seqgen.evaluation import edit_distance

    distance, cdist = edit_distance("--min-edit")

    def near(texts: set[str]) -> set[str]:
        splitter, found = run.settings.splitter, set[str]()
        training = (record.text for record in run.learned if splitter.part(record) == "train")
        while chunk := list(itertools.islice(training, _CHUNK)):
            asked = sorted(texts - found)
            distances = cdist(asked, chunk, scorer=distance.distance, score_cutoff=min_edit - 1)
            found.update(text for text, least in zip(asked, distances.min(1), strict=True) if least < min_edit)
        return found

    return near


def _decoder(kind: Any, run: OpenRun, config: DecodeConfig) -> Any:
    """Return a sampler or decoder of a run."""
    conditioning = Conditioning.of(run, config.label, config.given)
    if config.guidance != 1 and not conditioning.conditions:
        raise UsageError("--guidance strengthens a condition: give --label or --given")
    run.vocabulary.encode_option("--given", conditioning.prefix)
    resolved = config.model_copy(
        update={
            "prefix": conditioning.prefix + config.prefix,
            "max_length": run.settings.max_length if config.max_length is None else config.max_length,
        }
    )
    registry = run.plugins.registry
    steps: list[Processor] = [registry.get("processor", name).use(vals) for name, vals in config.processors.items()]
    multiline, given = run.settings.corpus.multiline, conditioning.conditions
    return kind(run.model, run.vocabulary, resolved, multiline=multiline, processors=steps, given=given)


# -- rows under a constraint


_EXACT_HINT = "--exact keeps the model's distribution by rejecting rows"
_FAST_HINT = "without --fast rows keep the model's distribution"


def _fast_problem(run: OpenRun, config: SampleConfig, sampler: Sampler) -> str:
    """Return why ``fast`` has no meaning here, or ""."""
    if config.exact:
        return "it contradicts --exact"
    if sampler.constraint is None:
        return "" if _grammar(run, config) else "there is no constraint"
    return "" if config.decode == "sample" else f"rows by {config.decode} are always masked"


def _grammar(run: OpenRun, config: SampleConfig) -> Grammar | None:
    """Return the grammar of the run's domain, if only valid rows are wanted and it has one."""
    if not (config.valid and run.vocabulary.ends) or run.automaton is None or run.lacking:
        return None
    from seqgen.sampling import Grammar

    def records() -> list[str]:
        with contextlib.suppress(SeqgenError):  # the corpus is not here, or not the same any more
            read = [record.text for record in itertools.islice(run.learned, _READ)]
            return read[:: len(read) // _RECORDS + 1]
        return []

    return Grammar(run.automaton, lambda text: run.verdict(text).ok, records, f"the grammar of {run.domain}")


_ONLY_TRIAL = {"contains", "contains_any", "avoid", "ends", "template", "length", "regex", "ignore_case"}
"""Settings that trial rows depend on, and rows without a constraint do not."""
_NEITHER = {"seed", "exact", "batch_size", "label", "given"}  # the ids of conditions are facts themselves


def _remembering(run: OpenRun, sampler: Sampler, grammar: Grammar | None) -> Remember:
    """Return the cache of the trials of a sampler: by its weights, its code and all settings that matter."""
    from seqgen.sampling import forget, model_digest, remembering

    if sampler.settings.processors:  # of plugins, whose code and options may mean anything
        return forget
    values = {name: getattr(sampler.settings, name) for name in DecodeConfig.model_fields if name not in _NEITHER}
    model = run.model
    codes = {code_digest(type(part)) for part in (*model.modules(), run.vocabulary.tokenizer)}
    rows = {
        "seqgen": __version__,
        "weights": model_digest(model),
        "code": sorted(codes),
        "symbols": hashlib.sha256(dump_json(run.vocabulary.tokenizer.to_json())).hexdigest(),
        "conditions": [list(run.vocabulary.conditions), sampler.forced[: sampler.n_slots]],
        "multiline": run.settings.corpus.multiline,
        "settings": {name: value for name, value in values.items() if name not in _ONLY_TRIAL},
    }
    by = [run.domain]
    for part in () if grammar is None else map(inspect.unwrap, cast("tuple[Any, ...]", (run.automaton, run.validator))):
        by += [code_digest(type(part)), type(part).__qualname__, repr(getattr(part, "__dict__", ""))]
    trial = rows | {"settings": values, "grammar": by, "corpus": run.settings.corpus.digest}
    return remembering({"rows": rows, "trial": trial})


def constrained_rows(
    run: OpenRun, sampler: Sampler, n: int, config: SampleConfig, warn: Callable[[str], None]
) -> Iterator[Sample]:
    """Yield rows that satisfy a constraint, if there is one: as the model has them, or guided step by step.

    Args:
        run: the run.
        sampler: of the run.
        n: number of guided rows; 0: without end.
        config: with ``valid``, rows may also keep to the grammar of the domain; with ``fast``, all rows are guided.
        warn: called with one line if rows are not sampled freely, and if many guided ones reach the length limit.
    """
    grammar = _grammar(run, config)
    if sampler.constraint is None and grammar is None:
        yield from sampler.rows()
        return
    way = _find_way(run, sampler, grammar, fast=config.fast)
    if way is not None:
        if line := _describe_way(way, grammar):
            warn(line)
        if way.rows is not None:
            yield from way.rows
            return
    if sampler.constraint is None:
        yield from sampler.rows()
        return
    if way is not None and not config.fast:
        warn(
            f"{_title(sampler.constraint.name)}: {way.n_kept} of {way.n_tried:,} trial rows satisfy it "
            f"({way.free:.1%}), so rows are guided step by step, which changes their distribution; "
            f"{_EXACT_HINT if config.temperature else 'at temperature 0 all rows of the model are the same'}"
        )
    hint = _FAST_HINT if config.fast else _EXACT_HINT
    yield from _watched(run, sampler, sampler.take(n) if n else sampler.rows(), warn, hint)


def _find_way(run: OpenRun, sampler: Sampler, grammar: Grammar | None, *, fast: bool) -> Way | None:
    """Return the way of sampling rows; None where the mask is asked for."""
    from seqgen.counting import blend_of
    from seqgen.sampling import find_way, guided_rows

    if fast:
        return None if grammar is None else guided_rows(sampler, grammar, _remembering(run, sampler, grammar))
    blend = blend_of(run.model)
    graph = None if blend is None else blend.graph
    return find_way(sampler, graph, grammar, _remembering(run, sampler, grammar))


def _title(name: str) -> str:
    """Return the name of a constraint as messages begin with it: "constraint --contains 'a'", "the grammar of x"."""
    return name if name.startswith("the ") else f"constraint {name}"


def _describe_way(way: Way, grammar: Grammar | None) -> str:
    """Return how rows are sampled, for a message; "" if freely."""
    if not way.name:
        return f"{grammar.name} is not used: {way.misfit}" if grammar is not None and way.misfit else ""
    line = f"{_title(way.name)}: "
    if way.bound is not None:
        line += describe_bound(way.bound)
    else:
        line += "rows are guided by look-ahead and none of them is rejected for it, which changes their distribution; "
        line += _FAST_HINT
    if way.excluded:
        line += f"; the grammar excludes {way.excluded:.1%} of the records"
    return line


def describe_bound(bound: Bound) -> str:
    """Return what a trial says of rows with look-ahead, for messages."""
    n_rows = f"{float(f'{1 / max(bound.accepted, _NEGLIGIBLE):.2g}'):,.0f}"  # for one that satisfies it
    if bound.accepted < _NEGLIGIBLE:
        share = f"fewer than 1 in {n_rows}"
    elif bound.accepted < _SMALL:
        share = f"about 1 in {n_rows}"
    else:
        share = f"{bound.accepted:.1%}"
    n = bound.n_particles
    among = f"; each sample is chosen among {n} particles" if n > 1 else ""
    line = (
        f"{share} of the model's rows satisfy it; sampled with look-ahead, and corrected by keeping {bound.kept:.1%} "
        f"of the samples{among}; the distribution of the rows may differ from the model's by {bound.above:.1%} "
        f"(effective sample size: {bound.effective:.0%})"
    )
    if bound.above <= _MOST_OFF or bound.accepted < _NEGLIGIBLE:
        return line
    return f"{line}; {_EXACT_HINT}, of which it needs some {n_rows} for each that it keeps (--effort)"


def _watched(
    run: OpenRun, sampler: Sampler, rows: Iterator[Sample], warn: Callable[[str], None], hint: str
) -> Iterator[Sample]:
    """Pass rows on, then warn if many reach the length limit in search of a way to satisfy the constraint."""
    least, most = sampler.lengths
    counts_chars = most is not None and least < _LONG * most
    n_rows = n_long = n_cut = 0
    try:
        for row in rows:
            n_rows += 1
            n_long += counts_chars and most is not None and len(row.text) >= _LONG * most
            longest = _LONG * sampler.max_length
            n_bytes = len(row.text.encode(errors="surrogatepass"))  # at least as many as symbols
            n_cut += n_bytes >= longest and len(run.vocabulary.encode(row.text)) >= longest
            yield row
    finally:
        assert sampler.constraint is not None
        long = ""
        if not run.vocabulary.ends:  # all rows are as long as the limit
            n_cut = 0
        if n_cut and n_cut >= _MANY * n_rows:
            long = f"{n_cut:,} of {n_rows:,} rows nearly reach the limit of {sampler.max_length} symbols (--max-length)"
        elif n_long and n_long >= _MANY * n_rows:
            long = f"{n_long:,} of {n_rows:,} rows nearly reach the limit of {most} characters"
        if long:
            warn(f"{_title(sampler.constraint.name)}: {long}; {hint}")
