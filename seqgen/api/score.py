"""Scores of texts, the scores of held-out records that rank them, and the probabilities of the next symbols.

Dimension letters: A allowed symbols, B batch (one), T steps, V vocabulary.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from seqgen.api.conditioning import as_conditions, check_fields, first_fields, split_conditions, warn_of_untrained
from seqgen.compute import computing
from seqgen.config import as_whole, values_by_name
from seqgen.errors import BadOption, SeqgenError, UnknownSymbol, UsageError, short_repr, shortened
from seqgen.render import visible

if TYPE_CHECKING:
    from seqgen.api.conditioning import Conditioning
    from seqgen.api.open_run import OpenRun
    from seqgen.evaluation import ReferenceScores, Score
    from seqgen.protocols import Verdict
    from seqgen.render.results import Scores
    from seqgen.sampling import Sample

_TOGETHER, _MAX_CHARS = 256, 65_536  # texts scored together, and characters, the shorter filled up to the longest
_MAX_HELD_OUT = 10_000  # records that a score is compared with
_SHOWN_CHARS = 40  # of a text in a message
_MAX_CORPUS_CHARS = 100_000_000  # of a corpus in which samples are looked up for a table


def score_texts(run: OpenRun, texts: Iterable[str], given: Mapping[str, Any], top: int = 0) -> Scores:
    """Return the scores of texts; see :meth:`seqgen.Run.score`."""
    from seqgen.evaluation import score
    from seqgen.render.results import Scores

    texts, top = list(texts), as_whole(top, 0, "number of most probable symbols")
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise BadOption(f"text {number} to score is {short_repr(text)}, not a string")
    with computing(run.settings.engine.threads):
        try:
            found = score(run.model, run.vocabulary, texts, as_conditions(given), top)
        except UnknownSymbol as error:
            problems = (_unknown_symbol(run, text, f"text {number}") for number, text in enumerate(texts, 1))
            raise next(filter(None, problems), error) from None
    return Scores(found, functools.partial(symbols, run))


def reference_scores(run: OpenRun, given: Mapping[str, Any]) -> ReferenceScores | None:
    """Return the scores of held-out records; see :meth:`seqgen.Run.reference_scores`."""
    from seqgen.evaluation import ReferenceScores, penalty, record_losses

    if not run.vocabulary.ends:
        return None
    encoded = run.read_corpus().encoded
    part = "test" if len(encoded["test"]) else "valid"
    if not len(encoded[part]):
        return None
    with computing(run.settings.engine.threads):
        penalty_V = penalty(run.vocabulary, run.model)
        costs = record_losses(
            run.model, encoded[part], run.vocabulary, penalty_V, most=_MAX_HELD_OUT, conditions=set(given)
        )
    return ReferenceScores.of(costs, "validation" if part == "valid" else part)


def conditions(run: OpenRun, label: str | None, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the conditions under which texts are scored.

    Raises:
        UsageError: the run was not trained with one of them.
    """
    found, fields = split_conditions(run, label, given, "score")
    if fields:
        check_fields(run, fields, first_fields(run))
        name = next(iter(fields))
        raise UsageError(f"{name!r} is a field and not a condition of this run: write it in the text that is scored")
    warn_of_untrained(run, found)
    return found


def iter_scores(
    run: OpenRun,
    texts: Iterable[str],
    given: Mapping[str, Any] | None = None,
    called: str = "text",
    leave_out: Callable[[UnknownSymbol], None] | None = None,
) -> Iterator[Score]:
    """Yield the scores of texts in their order, a few hundred at a time.

    Args:
        run: the run.
        texts: any number of them.
        given: values of conditions.
        called: how messages call a text, before its number.
        leave_out: called for each text with an unknown symbol, which is then left out; None: such a text is an error.

    Raises:
        UnknownSymbol: a text holds a symbol that the run does not know; those before it have been given.
    """
    for chunk in _chunks(texts):
        try:
            scores = score_texts(run, [text for _, text in chunk], given or {})
        except UnknownSymbol:
            pass
        else:
            yield from scores
            continue
        known: list[str] = []
        for number, text in chunk:
            if (problem := _unknown_symbol(run, text, f"{called} {number}")) is None:
                known.append(text)
            elif leave_out is None:
                yield from score_texts(run, known, given or {})
                raise problem
            else:
                leave_out(problem)
        yield from score_texts(run, known, given or {})


def _chunks(texts: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield chunks of numbered texts that are scored together in reasonable memory; an error is raised after them."""
    chunk: list[tuple[int, str]] = []
    longest = 0
    numbered = enumerate(texts, 1)
    while True:
        try:
            number, text = next(numbered)
        except StopIteration:
            break
        except UsageError:  # a text that cannot be read
            if chunk:
                yield chunk
            raise
        longest = max(longest, len(text))
        if chunk and (len(chunk) == _TOGETHER or longest * (len(chunk) + 1) > _MAX_CHARS):
            yield chunk
            chunk, longest = [], len(text)
        chunk.append((number, text))
    if chunk:
        yield chunk


def _unknown_symbol(run: OpenRun, text: str, called: str) -> UnknownSymbol | None:
    """Return the error, with the text, of one with a symbol that the run does not know; None if it has none."""
    try:
        run.vocabulary.encode(text)
    except UnknownSymbol as error:
        short = visible(shortened(text, _SHOWN_CHARS))
        error.args = (f"{called} ({short}): {error}",)
        return error
    return None


def symbols(run: OpenRun, text: str) -> list[str]:
    """Return the symbols of a text; a byte that is not a character is shown by its code."""
    return [run.vocabulary.symbol_text(index) for index in run.vocabulary.encode(text).tolist()]


_COLUMNS = frozenset(("row", "text", "cut", "bits_per_char", "where"))
"""What every sample has beside its conditions; a condition called valid or canonical keeps its name instead."""


def describe_samples(
    run: OpenRun, samples: Sequence[Sample], given: Mapping[str, Any], known: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return a row for each sample; see :meth:`seqgen.Run.describe`.

    Args:
        run: the run.
        samples: its samples.
        given: values of conditions.
        known: the part of the corpus to which each text belongs; None: it is looked up in a corpus that is not large.
    """
    from seqgen.evaluation import membership, verdicts

    values_by_name(given)
    texts = [sample.text for sample in samples]
    scores: dict[str, Score] = {}
    judged: dict[str, Verdict] = {}
    if run.vocabulary.ends and run.validator_here is not None:
        judged = dict(zip(texts, verdicts(texts, run.validator_here), strict=True))
    where = known or {}
    columns = {f"given.{name}" if name in _COLUMNS else name: value for name, value in given.items()}
    try:
        conditions = {name: value for name, value in given.items() if name in run.vocabulary.slots}
        scores = {score.text: score for score in score_texts(run, texts, conditions)}
        if known is None and run.vocabulary.ends and run.settings.corpus.n_chars <= _MAX_CORPUS_CHARS:
            forms = {text: verdict.form(text) for text, verdict in judged.items()}
            splitter = run.settings.splitter
            where = membership(texts, run.learned, splitter, lambda text: forms.get(text, text), run.recorded_form)
    except SeqgenError:  # the corpus is gone, or a row cannot be encoded again: the samples are shown all the same
        pass
    return [
        {
            "row": sample.number,
            "text": sample.text,
            "cut": sample.cut,
            **_judgement(sample.text, judged),
            **columns,
            "bits_per_char": _bits_of(scores[sample.text], sample.cut and run.vocabulary.ends) if scores else None,
            "where": _place(sample.text, where, judged),
        }
        for sample in samples
    ]


def _judgement(text: str, judged: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return whether a text is valid, and its canonical form; nothing where it was not judged."""
    if (verdict := judged.get(text)) is None:
        return {}
    return {"valid": verdict.ok, "canonical": verdict.form(text) if verdict.ok else None}


def _place(text: str, where: Mapping[str, str], judged: Mapping[str, Verdict]) -> str | None:
    """Return the part of the corpus that has a text, or "new" or "not valid" if none has it; None if not known."""
    place = where.get(text)
    return "not valid" if place == "new" and text in judged and not judged[text].ok else place


def _bits_of(score: Score, is_cut: bool) -> float:
    """Return the bits per character of a sample; one that was cut has no end symbol."""
    from seqgen.evaluation import bits_per_char

    return bits_per_char(sum(score.nats_per_symbol[:-1]), len(score.text), 0) if is_cut else score.bits_per_char


class NextSymbol(NamedTuple):
    r"""A symbol that may come next.

    Attributes:
        text: the symbol; "" for the end of the sequence; the code of a byte that is a part of a character, such as
            ``\xc3``.
        probability: that it comes, 0 to 1, at temperature 1.
        ends: whether it is the end.
    """

    text: str
    probability: float
    ends: bool


def next_symbols(run: OpenRun, prefix: str, n: int | None, conditioning: Conditioning) -> list[NextSymbol]:
    """Return the most probable symbols after a prefix; see :meth:`seqgen.Run.next_symbols` for errors.

    Symbols that no row may hold, such as a line end in records of one line, are left out, as in sampling.
    """
    import torch

    from seqgen.model import device_of, log_probs
    from seqgen.tokenizers import BOS, EOS

    n = None if n is None else as_whole(n, 0, "number of symbols")
    model, vocabulary = run.model, run.vocabulary
    conditions = vocabulary.condition_ids([conditioning.conditions])[0].tolist()
    ids = [BOS, *conditions, *vocabulary.encode(conditioning.prefix + prefix).tolist()]
    allowed_V = torch.from_numpy(vocabulary.allowed_V(line_ends=run.settings.corpus.multiline))
    with computing(run.settings.engine.threads), torch.inference_mode():
        device = device_of(model)
        logits_BTV, _ = model(torch.tensor([ids], device=device), model.initial_state(1))
        share_V = log_probs(logits_BTV[0, -1].double(), allowed_V.to(device)).exp().cpu()
    allowed_A = allowed_V.nonzero()[:, 0]
    order_A = allowed_A[torch.argsort(share_V[allowed_A], descending=True, stable=True)]
    return [
        NextSymbol("" if index == EOS else vocabulary.symbol_text(index), float(share_V[index]), index == EOS)
        for index in order_A[:n].tolist()
    ]
