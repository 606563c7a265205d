"""The parts of a run, built again from what its folder says."""

from __future__ import annotations

import functools
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.environment import computing, named_by, open_corpus
from seqgen.checkpoint import RunFolder, RunSettings
from seqgen.corpus import Corpus
from seqgen.errors import CheckpointError, MissingPlugin, PluginError, SeqgenError
from seqgen.plugin_guards import check_module
from seqgen.plugins import Plugins
from seqgen.registry import Entry, one_line, short_repr
from seqgen.specs import DomainSpec

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary


_DISTRIBUTION = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,49}")
_GIVEN = re.compile(r"(?:[A-Za-z_][\w.]{0,99}(?:\(\))?|seqgen\.[A-Za-z]{1,30}\(name='[\w-]{1,99}', \.\.\.\))", re.ASCII)
_FOLDER = re.compile(r"(?:/[\w.+-]{1,99}){1,30}", re.ASCII)
_REPOSITORY = re.compile(r"(?:git|hg|bzr|svn)\+https?:/(?:/[\w.+-]{1,99}){1,9}@\w{1,64}", re.ASCII)


def part_entry(plugins: Plugins, kind: str, name: str, settings: RunSettings) -> Entry:
    """The plugin's spec behind a part of a run.

    Raises:
        MissingPlugin: it is not installed.
    """
    if plugins.registry.has(kind, name):
        return plugins.registry.get(kind, name)
    package = name.partition(":")[0]
    known = next((plugin for plugin in settings.plugins if plugin.get("package") == package), {})
    way = way_to(known)
    if again := _given(known):
        of = f" with what {known['distribution']} defines" if known.get("sha256") and way else ""
        given = f"which was given from Python; give it again{of}, in Python: seqgen.load(..., plugins=[{again}])"
        raise MissingPlugin(f"the run needs the {kind} {name!r:.80}, {given}")
    if package not in plugins.plugins and not way:
        raise MissingPlugin(f"the run needs the {kind} {name!r:.80}, which is not installed")
    if package in plugins.plugins:
        state = f"which is loaded but not used: {plugins.plugins[package].problem or 'it no longer offers it'}"
    elif known.get("sha256"):
        state = f"which is not loaded; give its file: {way}, in Python plugins=[...]"
    elif package in plugins.installed:
        state = "which is installed but was told not to load (--no-plugins, SEQGEN_LOAD_PLUGINS)"
    else:
        state = f"which is not installed; {way}"
    of = f"{known.get('distribution') or package} {known.get('version') or ''}".strip()
    raise MissingPlugin(f"the run needs the {kind} {name!r} of {of}, {state}")


def way_to(known: Mapping[str, Any]) -> str:
    """Where a plugin is to be had again, as run.json holds it.

    A run.json may be anybody's: the distribution that it names is told as its claim, never in a command that installs
    it, and what does not look like a distribution, a version or a file is not passed on; then this is "", or of what
    came from no index that it came from none.
    """
    distribution, version = str(known.get("distribution") or ""), str(known.get("version") or "")
    if not _DISTRIBUTION.fullmatch(distribution):
        return ""
    if known.get("given"):
        return f"in Python, plugins=[{again}]" if (again := _given(known)) else ""
    if known.get("sha256"):
        return f"--plugin {distribution}"
    if origin := known.get("origin"):
        if _FOLDER.fullmatch(origin):
            return f"run.json says it was installed from the folder {origin}"
        where = f"the repository {origin}" if _REPOSITORY.fullmatch(origin) else "a local folder or a repository"
        return f"run.json says it was installed from {where}"
    release = f"{distribution} {version}" if _VERSION.fullmatch(version) else distribution
    return f"run.json names the distribution {release}; install it only if you trust whoever made the run"


def _given(known: Mapping[str, Any]) -> str:
    """What to list in ``plugins=[...]`` to have again what was given from Python, as run.json holds it; or ""."""
    given = str(known.get("given") or "").split("; ")
    return ", ".join(given) if all(map(_GIVEN.fullmatch, given)) and len(given) < 20 else ""


def given_parts(settings: RunSettings) -> str:
    """What to list in ``plugins=[...]`` to go on with a run whose parts were given from Python; else ""."""
    return ", ".join(filter(None, map(_given, settings.plugins)))


def given_again(entries: Iterable[Entry], plugins: Plugins) -> list[str]:
    """A line for each part of a run that was given from Python: what opening the run needs."""
    lines = []
    for entry in entries:
        if given := plugins.plugins[entry.package].provenance.given:
            again = ", ".join(given.split("; "))
            lines.append(f"{entry.label}: to open the run again, give it again: seqgen.load(..., plugins=[{again}])")
    return lines


def plugin_options(settings: RunSettings) -> str:
    """The options that load the files of plugins that a run needs, for a line that somebody types; "" without any."""
    options = ""
    for known in settings.plugins:
        if known.get("sha256") and not known.get("given") and (way := way_to(known)):
            file = getattr(sys.modules.get(str(known.get("package"))), "__file__", None)
            options += f" {way}" if file is None else f" --plugin {shlex.quote(_as_typed(Path(file)))}"
    return options


def _as_typed(path: Path) -> str:
    """A path from where one is, if it lies below."""
    here = Path.cwd()
    return str(path.resolve().relative_to(here)) if path.resolve().is_relative_to(here) else str(path)


def changed_plugins(plugins: Plugins, settings: RunSettings) -> list[str]:
    """A line for each plugin of a run that is not the one the run was made with."""
    lines = []
    for known in settings.plugins:
        plugin = plugins.plugins.get(str(known.get("package")))
        if plugin is None:
            continue
        now, what = plugin.provenance, f"{known.get('package')} ({known.get('distribution')})"
        if now.sha256 != known.get("sha256"):
            lines.append(f"the plugin {what} is another file than the run was made with")
        elif now.version != known.get("version"):
            lines.append(f"the run was made with {what} {known.get('version')}, this is {now.version}")
    return lines


def missing_plugins(plugins: Plugins, settings: RunSettings) -> list[str]:
    """A line for each plugin of a run that is neither loaded nor installed, with what to type to have it again."""
    lines = []
    for known in settings.plugins:
        package = known.get("package")
        if package not in plugins.plugins and package not in plugins.installed:
            lines.append(f"needs {package!r:.60}: {way_to(known) or 'not installed'}")
    return lines


def build_tokenizer(entry: Entry, data: Any) -> Any:
    """The tokenizer that tokenizer.json describes.

    Raises:
        CheckpointError: the description makes no sense.
    """
    try:
        return entry.load().from_json(data)
    except SeqgenError:
        raise
    except (Exception, SystemExit) as error:  # whatever a plugin's code says to data that may be anything
        raise CheckpointError(f"tokenizer.json does not fit the {entry.label}: {one_line(error)}") from None


def build_model(plugins: Plugins, settings: RunSettings) -> Any:
    """The model of a run, with fresh weights, on the CPU."""
    import torch

    from seqgen.batches import derive_seed

    entry = part_entry(plugins, "model", settings.model.name, settings)
    arguments: list[Any] = [settings.n_symbols]
    if settings.cell is not None:
        arguments.append(_cell_maker(plugins, settings, entry))
    with computing():
        torch.manual_seed(derive_seed("init", settings.train.seed))
        model = entry.build(settings.model.options, *arguments)
    if not isinstance(model, torch.nn.Module):
        raise PluginError(f"{entry.full_label} gave {model!r:.60}, not a torch.nn.Module")
    check_module("model", model, entry.full_label)
    return model


def build_around_cell(plugins: Plugins, settings: RunSettings) -> Any:
    """Core's own model, with its default options, around the cell of a run that has one, with fresh weights.

    Raises:
        PluginError, UsageError: the cell cannot be built at the default sizes.
    """
    core = plugins.registry.get("model", "seqgen:recurrent")
    return core.build({}, settings.n_symbols, _cell_maker(plugins, settings, core))


def _cell_maker(plugins: Plugins, settings: RunSettings, model: Entry) -> Callable[[int, int], Any]:
    """The function ``make_cell(input_size, hidden_size)`` that a model is given."""
    assert settings.cell is not None
    entry = part_entry(plugins, "cell", settings.cell.name, settings)
    return functools.partial(_build_cell, entry, settings.cell.options, model)


def _build_cell(entry: Entry, options: Mapping[str, Any], model: Entry, input_size: int, hidden_size: int) -> Any:
    from seqgen.cells import Cell

    for size in (input_size, hidden_size):
        if not isinstance(size, Integral) or size < 1:
            raise PluginError(
                f"{model.full_label} asks for a cell of the sizes {input_size!r:.40} and {hidden_size!r:.40}, "
                "which are not whole numbers from 1"
            )
    cell = entry.build(options, input_size, hidden_size)
    if not isinstance(cell, Cell):
        raise PluginError(f"{entry.full_label} is {short_repr(cell)}, not a seqgen.Cell")
    check_module("cell", cell, entry.full_label)
    return cell


def domain_of(settings: RunSettings, plugins: Plugins) -> DomainSpec:
    """What the texts of a run are."""
    return domain_entry(settings, plugins)[1]


def domain_entry(settings: RunSettings, plugins: Plugins) -> tuple[Entry, DomainSpec]:
    """The domain of a run, and what it says."""
    entry = part_entry(plugins, "domain", settings.corpus.domain, settings)
    assert isinstance(entry.spec, DomainSpec)
    return entry, entry.spec


def domain_part(settings: RunSettings, plugins: Plugins, kind: str) -> Any:
    """The validator or renderer of a run's domain, or None if it has none."""
    entry, spec = domain_entry(settings, plugins)
    name = {"validator": spec.validator, "renderer": spec.renderer}[kind]
    return None if name is None else named_by(entry, kind, name, plugins).use({})


def read_vocabulary(folder: RunFolder, settings: RunSettings, plugins: Plugins) -> Vocabulary:
    """The symbols of a run, from its tokenizer.json.

    Raises:
        CheckpointError: the file is damaged or does not fit the run.
    """
    from seqgen.tokenizers import Vocabulary

    data = folder.read_json("tokenizer.json")
    conditions = data.get("conditions") if isinstance(data, dict) else None
    if not isinstance(conditions, list) or not all(isinstance(name, str) for name in conditions) or "data" not in data:
        raise CheckpointError(f"{str(folder.path / 'tokenizer.json')!r} is damaged: it describes no symbols")
    entry = part_entry(plugins, "tokenizer", settings.tokenizer.name, settings)
    ends = settings.corpus.layout == "lines"
    vocabulary = Vocabulary(build_tokenizer(entry, data["data"]), tuple(conditions), ends)
    if vocabulary.size != settings.n_symbols:
        raise CheckpointError(
            f"{str(folder.path / 'tokenizer.json')!r} has {vocabulary.size} ids, run.json says {settings.n_symbols}"
        )
    return vocabulary


def augmentation_of(settings: RunSettings, plugins: Plugins) -> Any:
    """How a run writes its records anew, or None."""
    part = settings.augmentation
    return None if part is None else part_entry(plugins, "augmentation", part.name, settings).use(part.options)


def corpus_of(settings: RunSettings, plugins: Plugins) -> Corpus:
    """The corpus of a run, opened again."""
    corpus = settings.corpus
    entry = part_entry(plugins, "corpus", corpus.name, settings)
    return open_corpus(entry, entry.options(corpus.options), corpus.valid, corpus.test, corpus.layout)
