"""Factories of the parts of a run, from its run.json: tokenizer, model, domain and corpus."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from seqgen.api.corpora import FILE, open_corpus
from seqgen.api.missing_plugin import missing_part
from seqgen.checkpoint import RunFolder, RunSettings
from seqgen.compute import computing, without_filling
from seqgen.config import SampleConfig
from seqgen.corpus import Corpus
from seqgen.errors import BadOption, CheckpointError, PluginError, SeqgenError, one_line, short_repr
from seqgen.plugins import Plugins, get_referenced
from seqgen.registry import Entry
from seqgen.specs import DomainSpec
from seqgen.torch_modules import check_module

if TYPE_CHECKING:
    from torch import Tensor

    from seqgen.batches import Rewriter
    from seqgen.counting import Counts
    from seqgen.sampling import Sample
    from seqgen.tokenizers import Vocabulary
    from seqgen.training.shares import Draw


def part_entry(plugins: Plugins, kind: str, name: str, settings: RunSettings) -> Entry:
    """Return the registered part of a run.

    Raises:
        MissingPlugin: no plugin offers it.
    """
    if not plugins.registry.has(kind, name):
        raise missing_part(plugins, kind, name, settings)
    return plugins.registry.get(kind, name)


def build_tokenizer(entry: Entry, data: Any) -> Any:
    """Build the tokenizer of a tokenizer.json.

    Raises:
        CheckpointError: the tokenizer cannot read it.
    """
    try:
        return entry.load().from_json(data)
    except SeqgenError:
        raise
    except (Exception, SystemExit) as error:  # whatever a plugin's code says to data that may be anything
        raise CheckpointError(f"tokenizer.json does not fit the {entry.label}: {one_line(error)}") from None


def build_model(plugins: Plugins, settings: RunSettings) -> Any:
    """Build the model of a run with fresh weights, on the CPU."""
    import torch

    from seqgen.batches import derive_seed

    entry = part_entry(plugins, "model", settings.model.name, settings)
    maker = _cell_maker(plugins, settings, entry) if settings.cells else None
    with computing():
        torch.manual_seed(derive_seed("init", settings.train.seed))
        model = entry.build(settings.model.options, settings.n_symbols, *([] if maker is None else [maker]))
    if isinstance(maker, _LayerMaker):
        maker.check()
    if not isinstance(model, torch.nn.Module):
        raise PluginError(f"{entry.full_label} gave {short_repr(model)}, not a torch.nn.Module")
    check_module("model", model, entry.full_label)
    return model


def build_around_cell(plugins: Plugins, settings: RunSettings, layer: int = 0) -> Any:
    """Build core's model with its default options, of one layer, around a cell of a run, with fresh weights.

    Args:
        plugins: what its parts come from.
        settings: what run.json says.
        layer: the index of the cell among those of the layers.

    Raises:
        PluginError, UsageError: the cell cannot be built at the default sizes.
    """
    core = plugins.registry.get("model", "seqgen:recurrent")
    alone = settings.model_copy(update={"cell": settings.cells[layer]})
    return core.build({}, settings.n_symbols, _cell_maker(plugins, alone, core))


def _cell_maker(plugins: Plugins, settings: RunSettings, model: Entry) -> Callable[[int, int], Any]:
    """Return the function ``make_cell(input_size, hidden_size)`` that a model receives."""
    makers = [
        functools.partial(_build_cell, part_entry(plugins, "cell", part.name, settings), part.options, model)
        for part in settings.cells
    ]
    return makers[0] if len(makers) == 1 else _LayerMaker(makers, model)


class _LayerMaker:
    """A function ``make_cell(input_size, hidden_size)`` whose n-th call builds the cell of the n-th layer."""

    def __init__(self, makers: Sequence[Callable[[int, int], Any]], model: Entry) -> None:
        self.makers, self.model, self.n_built = makers, model, 0

    def __call__(self, input_size: int, hidden_size: int) -> Any:
        self.n_built += 1
        if self.n_built > len(self.makers):
            raise PluginError(
                f"{self.model.full_label} builds more layers than the {len(self.makers)} cells of the run"
            )
        return self.makers[self.n_built - 1](input_size, hidden_size)

    def check(self) -> None:
        """Refuse a model that has not built every layer.

        Raises:
            PluginError: it has not.
        """
        if self.n_built != len(self.makers):
            raise PluginError(
                f"{self.model.full_label} builds {self.n_built} layers of the {len(self.makers)} cells of the run"
            )


def _build_cell(entry: Entry, options: Mapping[str, Any], model: Entry, input_size: int, hidden_size: int) -> Any:
    from seqgen.cells import Cell

    for size in (input_size, hidden_size):
        if not isinstance(size, Integral) or size < 1:
            raise PluginError(
                f"{model.full_label} asks for a cell of the sizes {short_repr(input_size, 40)} and "
                f"{short_repr(hidden_size, 40)}, which are not whole numbers from 1"
            )
    cell = entry.build(options, input_size, hidden_size)
    if not isinstance(cell, Cell):
        raise PluginError(f"{entry.full_label} is {short_repr(cell)}, not a seqgen.Cell")
    check_module("cell", cell, entry.full_label)
    return cell


def rebuild_model(plugins: Plugins, settings: RunSettings, weights: Mapping[str, Tensor] | None) -> Any:
    """Build the model of a run folder with fresh weights, after verifying run.json.

    Args:
        plugins: what its parts come from.
        settings: what run.json says, which may be anything.
        weights: the tensors of the checkpoint by name, which are there; None: there is no checkpoint yet.

    Raises:
        CheckpointError: run.json describes no model, or another than the weights are of.
    """
    from seqgen.model import count_parameters

    try:
        blank = blank_model(plugins, settings)
    except BadOption as error:
        raise CheckpointError(f"run.json does not fit this seqgen and its plugins: {error}") from None
    if blank is None:
        return build_model(plugins, settings)
    if weights is None:
        if (n_parameters := count_parameters(blank)) != settings.n_parameters:
            raise CheckpointError(
                f"run.json is damaged: its model has {n_parameters:,} parameters, not {settings.n_parameters:,}"
            )
    elif problem := difference(weights, blank.state_dict()):
        raise CheckpointError(f"the checkpoint does not fit run.json: {problem}")
    return build_model(plugins, settings)


def read_counts(folder: RunFolder, settings: RunSettings) -> Counts:
    """Read the counts that the model of a run is blended with.

    Raises:
        CheckpointError: they are missing, damaged or of other symbols.
    """
    from seqgen.counting import load_counts

    return load_counts(folder.read_counts(), settings.n_symbols)


def predictor_of(
    folder: RunFolder, settings: RunSettings, plugins: Plugins, model: Any, state: Mapping[str, Any]
) -> Any:
    """Return the model of a checkpoint with what its network is mixed with, if that is anything.

    Args:
        folder: the run folder.
        settings: the content of its run.json.
        plugins: the plugins.
        model: the model, with its weights.
        state: the state of the checkpoint; without gates the model predicts alone.

    Raises:
        CheckpointError: the gates or the counts are damaged.
    """
    from seqgen.counting import Blend, Mixture, Repeats

    mixture = Mixture.read(state)
    predictor = model
    if mixture.gate is not None:
        counts = read_counts(folder, settings)
        has_words = settings.train.exponents == "words"
        word_V = read_vocabulary(folder, settings, plugins).word_V() if has_words else None
        predictor = Blend(model, counts.graph, counts.records, mixture.gate, word_V)
        if mixture.kept_share is not None:
            predictor.set_discount(mixture.kept_share)
    if mixture.repeats is None:
        return predictor
    from seqgen.evaluation import penalty

    penalty_V = penalty(read_vocabulary(folder, settings, plugins), model)
    return Repeats(predictor, penalty_V, settings.look_back, mixture.repeats)


def blank_model(plugins: Plugins, settings: RunSettings) -> Any:
    """Build the model of a run on the device "meta"; None if it reads its weights while it is built.

    Raises:
        BadOption: they describe none.
    """
    import torch

    try:
        with torch.device("meta"), without_filling():
            return build_model(plugins, settings)
    except PluginError:  # what else is wrong with it shows when it gets memory
        return None


def difference(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """Return the first difference in names, types and shapes of tensors, or ""."""
    for name in [*wanted, *weights]:
        if name not in weights:
            return f"it has no tensor {short_repr(name, 80)}"
        if name not in wanted:
            return f"the model has no tensor {short_repr(name, 80)}"
        found, expected = weights[name], wanted[name]
        if (found.shape, found.dtype) != (expected.shape, expected.dtype):
            return (
                f"{short_repr(name, 80)} is {found.dtype} of {list(found.shape)}, the model's {expected.dtype} of "
                f"{list(expected.shape)}"
            )
    return ""


def domain_entry(settings: RunSettings, plugins: Plugins) -> tuple[Entry, DomainSpec]:
    """Return the domain of a run, and its spec."""
    entry = part_entry(plugins, "domain", settings.corpus.domain, settings)
    return entry, entry.spec_as(DomainSpec)


def domain_part(settings: RunSettings, plugins: Plugins, kind: str) -> Any:
    """Build the validator or renderer of a run's domain; None if it has none."""
    entry, spec = domain_entry(settings, plugins)
    name = {"validator": spec.validator, "renderer": spec.renderer}[kind]
    return None if name is None else get_referenced(entry, kind, name, plugins).use({})


def read_vocabulary(folder: RunFolder, settings: RunSettings, plugins: Plugins) -> Vocabulary:
    """Read the vocabulary of a run from its tokenizer.json.

    Raises:
        CheckpointError: the file is damaged or does not fit the run.
    """
    return build_vocabulary(
        folder.read_json("tokenizer.json"), settings, plugins, repr(str(folder.path / "tokenizer.json"))
    )


def build_vocabulary(data: object, settings: RunSettings, plugins: Plugins, where: str) -> Vocabulary:
    """Return the vocabulary that the content of a tokenizer.json describes.

    Args:
        data: the content.
        settings: the run's.
        plugins: what the tokenizer comes from.
        where: it stands, for messages.

    Raises:
        CheckpointError: the content is damaged or does not fit the run.
    """
    from seqgen.tokenizers import Vocabulary

    conditions = data.get("conditions") if isinstance(data, dict) else None
    if (
        not isinstance(data, dict)
        or not isinstance(conditions, list)
        or not all(isinstance(name, str) for name in conditions)
        or "data" not in data
    ):
        raise CheckpointError(f"{where} is damaged: it describes no symbols")
    entry = part_entry(plugins, "tokenizer", settings.tokenizer.name, settings)
    ends = settings.corpus.layout == "lines"
    vocabulary = Vocabulary(build_tokenizer(entry, data["data"]), tuple(conditions), ends, entry.full_label)
    if vocabulary.size != settings.n_symbols:
        raise CheckpointError(f"{where} has {vocabulary.size} ids, run.json says {settings.n_symbols}")
    return vocabulary


def rewriter_of(settings: RunSettings, vocabulary: Vocabulary, plugins: Plugins) -> Rewriter | None:
    """Return what rewrites the records of a run by its augmentation; None if it has none."""
    from seqgen.batches import Rewriter

    if (part := settings.augmentation) is None:
        return None
    augment = part_entry(plugins, "augmentation", part.name, settings).use(part.options)
    return Rewriter(augment, vocabulary, settings.train.seed)


def draw_of(settings: RunSettings, vocabulary: Vocabulary) -> Draw:
    """Return the sampling of a run's samples."""
    from seqgen.sampling import Sampler

    def draw(model: Any, seed: int, first: int, last: int, check: Callable[[], None]) -> list[Sample]:
        wanted = SampleConfig(seed=seed, max_length=settings.max_length)
        sampler = Sampler(model, vocabulary, wanted, multiline=settings.corpus.multiline)
        return list(sampler.take(last - first, check, first=first))

    return draw


def corpus_of(settings: RunSettings, plugins: Plugins) -> Corpus:
    """Open the corpus of a run again."""
    corpus = settings.corpus
    entry = part_entry(plugins, "corpus", corpus.name, settings)
    options = entry.options(corpus.options)
    if entry.qualified == FILE and options["reader"] is not None:
        part_entry(plugins, "reader", options["reader"], settings)
    held = corpus.valid, corpus.test, corpus.layout
    return open_corpus(entry, options, *held, divided=corpus.divided, plugins=plugins)
