"""The exporter of pages: the parts of a run put together, and compared with the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import seqgen
from seqgen import exporting
from seqgen_page.comparison import Expected, compared, lost_bits
from seqgen_page.compiler import Compiler
from seqgen_page.document import document
from seqgen_page.novelty import record_filter, training_records
from seqgen_page.packing import Weights, packed_arrays, packed_size, rounded_model
from seqgen_page.texts import longest_symbols, text_facts
from seqgen_page.viewers import Viewer, viewer_of

_N_ROWS, _N_IDS, _N_SAMPLES = 4, 12, 100
_NOT_GIVEN = 0  # the id of a condition that is left out
_MAX_IDS = 64  # of a sampled row that are compared
_LEAST_BITS = 0.0001  # a smaller cost of rounding is reported as less than this
_TABLES = {
    "shorter_R": "shorter", "mass_R": "mass", "exponents_RE": "exponents", "starts_R": "starts", "ids_A": "ids",
    "probs_A": "probs", "next_A": "next", "base_V": "base",
}  # fmt: skip
_CHANGES = {
    "usual_I": "usual", "starts_I": "changeStarts", "ids_C": "changeIds", "changes_C": "changes",
    "next_C": "changeNext",
}  # fmt: skip


class PageExporter:
    """A page with the step of the network as a script, its weights, the counts of a blend, and a sampler.

    Args:
        weights: how weights are stored: "float32", "float16", or "int8" with a scale for each row.
        title: the heading of the page; "": the name of the run.
        novelty: whether rows are marked as new or in training, by a Bloom filter of the training records.
        viewer: "auto" draws molecules, tunes and cards, "none" draws nothing; else the path of a script that draws.
    """

    suffixes = (".html", ".htm")

    def __init__(
        self,
        *,
        weights: Annotated[Weights, Field(description="bits of a weight: float32, float16 or int8")] = "float32",
        title: Annotated[str, Field(description="heading of the page")] = "",
        novelty: Annotated[bool, Field(description="mark rows as new or in training, by a Bloom filter")] = False,
        viewer: Annotated[str, Field(description="auto, none, or the path of a script that draws texts")] = "auto",
    ) -> None:
        self.weights, self.title, self.novelty, self.viewer = weights, title, novelty, viewer

    def export(self, run: seqgen.Run, path: Path) -> seqgen.Exported:
        """Write the page and compare its logits with those of the run, with weights rounded as in the page.

        Raises:
            ExportRefused: the model or the tokenizer cannot be translated; the line names the operation or the part.
            BadOption: the viewer cannot be used, or records are to be marked and the run has none.
            CorpusError: records are to be marked, and the corpus is not the one the run was trained on.
            DiskError: the page cannot be written.
        """
        viewer = viewer_of(run.settings.corpus.domain, self.viewer)
        if self.novelty:
            training_records(run)  # refuses a run without them before the model is traced, which takes long
        symbols, model = exporting.symbols_of(run), rounded_model(run.model, self.weights)
        step = exporting.one_step(model)
        program = exporting.traced_program(step)
        compiler = Compiler(program)
        source = compiler.source()
        expected = _expected(run, model, symbols)
        facts = self._facts(run, symbols, step, compiler) | {"check": expected.check()}
        if not _reads_longest(facts["texts"], symbols, expected):
            facts["texts"]["read"] = None
        groups = self._arrays(run, step, compiler, viewer, facts)
        text, facts["arrays"] = packed_arrays(pair for group in groups.values() for pair in group)
        page = document(facts, source, text, viewer).encode(errors="replace")
        seqgen.write_atomic(path, page)
        difference, note = compared(path, program, step, expected)
        notes, what = [note, self._sizes(len(page), groups, viewer)], "logits"
        if self.weights != "float32":
            bits = lost_bits(run.model, model, symbols, expected.sampled)
            lost = f"{bits:.2g}" if bits >= _LEAST_BITS else f"less than {_LEAST_BITS}"
            notes.insert(0, f"weights as {self.weights} cost {lost} bits a symbol on {len(expected.sampled)} samples")
            what = f"logits, of both with weights as {self.weights},"
        if facts["texts"]["read"] is None:
            notes.append(f"the page reads no texts: it has no form of the tokenizer {symbols.tokenizer}")
        return seqgen.Exported([path], what, difference, tolerance=1e-4, notes=notes)

    def _arrays(
        self, run: seqgen.Run, step: exporting.OneStep, compiler: Compiler, viewer: Viewer, facts: dict[str, Any]
    ) -> dict[str, list[tuple[Any, Weights]]]:
        """Return arrays by what they are, in the order in which the page takes them; add the facts of the filter.

        Each has the bits it is stored in: only parameters are rounded, as in ``rounded_model``.
        """
        tensors = [
            (tensor.detach(), self.weights if name in compiler.parameters else "float32")
            for name, tensor in compiler.weights.items()
        ]
        tensors += [(leaf, "float32") for leaf in step.initial_leaves(1)]
        weights = [(tensor.cpu().numpy(), bits) for tensor, bits in tensors]
        groups, counts = {"weights": weights}, exporting.counts_of(run)
        if counts is not None:
            tables = [getattr(counts, name).ravel() for name in _TABLES]
            if counts.prefixes is not None:
                tables += [getattr(counts.prefixes, name) for name in _CHANGES]
            groups["counts"] = [(table, "float32") for table in tables]
        if self.novelty:
            bits, facts["novelty"] = record_filter(run, viewer)
            groups["training records"] = [(bits, "float32")]
        return groups

    def _sizes(self, n_bytes: int, groups: Mapping[str, Sequence[Any]], viewer: Viewer) -> str:
        """Return a line with the size of the page and of its parts."""
        parts = {name: packed_size(packed_arrays(arrays)[1]) for name, arrays in groups.items()}
        if viewer.name:
            parts[f"viewer {viewer.name!r}"] = viewer.n_bytes
        parts["the rest"] = n_bytes - sum(parts.values())
        sizes = (f"{name} {f'{size / 1000:,.0f}' if size >= 1000 else '< 1'}" for name, size in parts.items())
        return f"{n_bytes / 1000:,.0f} kB: {', '.join(sizes)}"

    def _facts(
        self, run: seqgen.Run, symbols: exporting.Symbols, step: exporting.OneStep, compiler: Compiler
    ) -> dict[str, Any]:
        settings, counts, gate = run.settings, exporting.counts_of(run), exporting.repeats_of(run)
        tables = [] if counts is None else [*_TABLES.values(), *([] if counts.prefixes is None else _CHANGES.values())]
        # Of a text, for which a growing state has entries; None: any.
        limit = None if compiler.largest is None else compiler.largest - len(symbols.slots) - 2
        return {
            "title": self.title or run.folder.name,
            "about": _about(run, self.weights),
            "nIds": symbols.n_ids,
            "offset": symbols.offset,
            "ends": symbols.ends,
            "multiline": settings.corpus.multiline,
            "allowed": list(symbols.allowed),
            "slots": list(symbols.slots),
            "conditions": list(symbols.conditions),
            "maxLength": symbols.max_length if limit is None else min(symbols.max_length, limit),
            "longestScored": limit,
            "grows": bool(step.growing),
            "nWeights": len(compiler.weights),
            "nLeaves": len(step.initial_leaves(1)),
            "tables": tables,
            "counts": None if counts is None else {
                "begin": counts.begin, "ends": counts.ends, "ofEntropy": counts.of_entropy,
                "ofLargest": counts.of_largest, "ofPosition": counts.of_position,
                "maxExponent": counts.max_exponent, "floor": counts.floor,
                "words": None if counts.word_V is None else counts.word_V.nonzero()[0].tolist(),
            },
            "repeats": None if gate is None else {
                "lookBack": gate.look_back, "base": gate.base, "shortest": gate.shortest,
                "longest": gate.longest, "leastAgreement": gate.least_agreement, "weights": gate.weights,
            },
            "texts": text_facts(symbols),
            "settings": {"corpus": settings.corpus.title},
        }  # fmt: skip


def _about(run: seqgen.Run, weights: Weights) -> list[list[str]]:
    """Return facts about the run for people, as names and values."""
    settings, step = run.settings, run.state.get("step")
    found = {
        "corpus": settings.corpus.title,
        "licence of the corpus": settings.corpus.licence,
        "records": f"{settings.corpus.n_records:,}",
        "model": ", ".join(filter(None, (settings.architecture, exporting.mixed_with(run)))),
        "parameters": f"{settings.n_parameters:,}, as {weights}",
        "step": "" if step is None else f"{step:,}",
        "digest of the corpus": settings.corpus.digest[:16],
        "made by": f"seqgen {seqgen.__version__}",
    }
    return [[name, value] for name, value in found.items() if value]


def _expected(run: seqgen.Run, model: Any, symbols: exporting.Symbols) -> Expected:
    """Return what the page is to give: logits on random and on sampled rows, and ids of sampled texts."""
    given = {name: _first_value(symbols, name) for name in symbols.slots}
    texts = [row.text for row in run.sample(_N_SAMPLES, given=given) if row.text]
    read = {text: ids for text in texts if (ids := _ids(run, text)) is not None}
    slots = run.vocabulary.condition_ids([given])[0].tolist()
    sampled = [[*slots, *ids[:_MAX_IDS]] for ids in read.values()]
    random = [[*slots, *row] for row in exporting.probe_rows(_N_ROWS, _N_IDS, symbols.allowed)]
    without = [[_NOT_GIVEN] * len(slots) + row[len(slots) :] for row in random] if slots else []
    rows = [*without, *random, *sampled[:_N_ROWS]]
    logits = [found.double().cpu().tolist() for found in exporting.replayed(model, rows)]
    return Expected(rows, logits, list(read), list(read.values()), sampled, symbols)


def _ids(run: seqgen.Run, text: str) -> list[int] | None:
    """Return the ids of a text; None if it is no text of the run, as bytes that are no characters."""
    try:
        ids: list[int] = run.vocabulary.encode(text).tolist()
    except seqgen.UnknownSymbol:
        return None
    return ids


def _first_value(symbols: exporting.Symbols, name: str) -> str:
    return next(one.partition("=")[2] for one in symbols.conditions if one.partition("=")[0] == name)


def _reads_longest(facts: Mapping[str, Any], symbols: exporting.Symbols, expected: Expected) -> bool:
    """Return whether texts are read as by the run, where the page only knows to take the longest symbols."""
    if facts["read"] != "longest":
        return True
    assert symbols.pieces is not None
    known = [piece.decode("utf-8", "replace") for piece in symbols.pieces]
    id_of = {symbol: index for index, symbol in enumerate(known, symbols.offset)}
    found = [[id_of.get(one, math.nan) for one in longest_symbols(text, known)] for text in expected.texts]
    return found == expected.ids
