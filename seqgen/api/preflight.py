"""What is learned otherwise than it seems: looked for in the first records, and told before a training."""

from __future__ import annotations

import itertools
from random import Random
from typing import TYPE_CHECKING

from seqgen.api.corpus_checks import blaming
from seqgen.api.environment import FILE, named_by, open_corpus
from seqgen.api.recipe import Recipe
from seqgen.errors import MissingExtra, UnknownSymbol
from seqgen.plugins import Plugins
from seqgen.registry import Entry
from seqgen.specs import DomainSpec

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary

_LOOKED_AT = 1000  # records


def doubts(recipe: Recipe, plugins: Plugins, vocabulary: Vocabulary) -> list[str]:
    """Lines on what will be learned otherwise than it seems: records that are not valid, or not rewritten."""
    asked = (
        recipe.corpus.qualified == FILE or recipe.augmentation is not None or hasattr(recipe.tokenizer.load(), "doubt")
    )
    if recipe.layout != "lines" or not asked:
        return []  # a corpus may be slow to read
    corpus = open_corpus(recipe.corpus, recipe.options["corpus"], recipe.valid, recipe.test, recipe.layout)
    texts = [record.text for record in itertools.islice(corpus, _LOOKED_AT)]
    found = (
        _of_domain(recipe, plugins, texts),
        _of_tokenizer(recipe.tokenizer, texts),
        _of_augmentation(recipe, vocabulary, texts),
    )
    return [line for line in found if line]


def _of_tokenizer(entry: Entry, texts: list[str]) -> str:
    """What a tokenizer itself says of texts that it can cut and is not made for."""
    with blaming(entry, "fails on the first records"):
        tokenizer = entry.load()
        line = tokenizer.doubt(texts) if hasattr(tokenizer, "doubt") else ""
        return f"tokenizer {entry.spec.name}: {line}" if line else ""


def _of_domain(recipe: Recipe, plugins: Plugins, texts: list[str]) -> str:
    """A file of the user's whose records are no members of the domain: ``CCO mol17`` would be learned as it stands."""
    spec = recipe.domain.spec
    assert isinstance(spec, DomainSpec)
    if recipe.corpus.qualified != FILE or spec.validator is None:
        return ""
    try:
        validator = named_by(recipe.domain, "validator", spec.validator, plugins).use({})
    except MissingExtra as error:
        return f"whether the records are valid is not known: {error}"
    verdicts = [validator.validate(text) for text in texts]
    refused = [(text, verdict.reason) for text, verdict in zip(texts, verdicts, strict=True) if not verdict.ok]
    if not refused:
        return ""
    text, reason = refused[0]
    alone = all(any(map(str.isspace, text.strip())) for text, _ in refused) and 2 * len(refused) > len(texts)
    more = "; a line must be the text alone: cut -f1 FILE, or cut -d' ' -f1, takes the first field" if alone else ""
    return (
        f"{len(refused)} of the first {len(texts)} records are not valid for the domain {spec.name}, "
        f"such as {text[:60]!r}: {reason[:120]}; they are learned as they stand{more}"
    )


def _of_augmentation(recipe: Recipe, vocabulary: Vocabulary, texts: list[str]) -> str:
    """An augmentation that writes what the tokenizer has not seen: such a record stays as it is."""
    if recipe.augmentation is None:
        return ""
    with blaming(recipe.augmentation, "fails on its first record"):
        augment = recipe.augmentation.use(recipe.options["augmentation"])
        written = [augment(text, Random(index)) for index, text in enumerate(texts)]
    problems = list[str]()
    for text in written:
        try:
            vocabulary.encode(text)
        except UnknownSymbol as error:
            problems.append(str(error))
    if not problems:
        return ""
    return (
        f"{len(problems)} of the first {len(texts)} records stay as they are, since what the augmentation "
        f"{recipe.augmentation.spec.name} writes has symbols that the corpus has not: {problems[0]}"
    )
