"""Tokenizers on the texts of shipped corpora: many texts in one call beside one call a text.

    python benchmarks/tokenizing.py [--rounds N] [--quick]

In each round both encode the same texts, one after the other, and one call decodes them again; "x" is the median of the
ratios of the two rates of encoding, with the smallest and the largest. A megabyte is a million bytes of UTF-8.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import seqgen
from report import table, write_page

_CASES = (
    ("names", "char"), ("titles", "char"), ("titles", "byte"), ("titles", "bpe"), ("titles", "word"),
    ("smiles", "smiles"), ("cards", "fields"),
)  # fmt: skip


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and its seconds."""
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


def row(corpus: str, name: str, rounds: int, limit: int | None) -> list[str]:
    """Return the row of a tokenizer on a corpus."""
    tokenizer: Any = seqgen.plan(corpus, tokenizer=name).data.vocabulary.tokenizer
    registry = seqgen.choose_plugins().registry
    entry = registry.get("corpus", corpus)
    texts = [record.text for record in itertools.islice(entry.build(entry.options({})), limit)]
    megabytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) / 1e6
    found = []
    for _ in range(rounds):
        (flat, lengths), many_s = timed(lambda: tokenizer.encode_many(texts))
        one, one_s = timed(lambda: [tokenizer.encode(text) for text in texts])
        again, decode_s = timed(partial(tokenizer.decode_many, flat, lengths))
        if list(map(len, one)) != lengths.tolist() or list(again) != texts:
            raise SystemExit(f"{name}: one call for all texts of {corpus} and one a text differ")
        found.append((many_s, one_s, decode_s))
    ratios = [one_s / many_s for many_s, one_s, _ in found]
    rates = [f"{megabytes / statistics.median(seconds):,.1f}" for seconds in zip(*found, strict=True)]
    spread = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
    return [f"{corpus}, {name}", f"{len(texts):,}", f"{megabytes:.2f}", *rates[:2], spread, rates[2]]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few texts; the table is printed and not stored")
    arguments = parser.parse_args()
    rounds, limit = (1, 500) if arguments.quick else (arguments.rounds, None)
    rows = [row(*case, rounds, limit) for case in _CASES]
    head = ["corpus and tokenizer", "texts", "MB", "encode, MB/s", "one by one, MB/s", "x", "decode, MB/s"]
    text = table(head, rows)
    if not arguments.quick:
        caption = "Written by `python benchmarks/tokenizing.py`, which says how."
        write_page("tokenizing", "Speed of tokenizers", caption, rounds, text)
    print(text)


if __name__ == "__main__":
    main()
