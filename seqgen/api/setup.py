"""Plugins, corpora, device and threads: what a training finds before it begins."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import seqgen.corpus as corpora
from seqgen.corpus import Corpus, TextFile, WithHeldOut
from seqgen.errors import PluginError, UnknownName, UsageError
from seqgen.plugins import Plugins, entry_point_candidates
from seqgen.registry import Entry
from seqgen.specs import CorpusSpec, LoadableSpec


@functools.cache
def default_plugins() -> Plugins:
    """The installed plugins, loaded once; problems are Python warnings."""
    plugins = Plugins(warn=lambda line: warnings.warn(line, RuntimeWarning, stacklevel=2))
    plugins.load(entry_point_candidates())
    return plugins


# -- corpora


def sort_out_corpus(name: str | Path, plugins: Plugins) -> Entry | Path:
    """What ``--corpus`` names: a registered corpus first, else a file; ``./names`` is always the file.

    Raises:
        UnknownName: neither.
        UsageError: a path that does not exist.
    """
    text = str(name)
    if isinstance(name, str) and plugins.registry.has("corpus", text):
        return plugins.registry.get("corpus", text)
    path = Path(name)
    if path.exists():
        return path
    if "/" in text or "\\" in text or path.suffix:
        raise UsageError(f"no such file: {text!r}")
    hint = plugins.broken_hint() or "a file with a record a line would do too"
    raise UnknownName("corpus", text, plugins.registry.names("corpus"), hint)


def open_corpus(
    found: Entry | Path,
    options: Mapping[str, Any],
    valid: str | Path | None = None,
    test: str | Path | None = None,
) -> Corpus:
    """A corpus ready to be iterated.

    Args:
        found: a registered corpus, or a file.
        options: its options.
        valid: a file of validation records, or None.
        test: a file of test records, or None.

    Raises:
        BadOption: an unknown option or an impossible value.
        PluginError: the plugin's code failed, or what it gave cannot be iterated.
        UsageError: this kind of corpus cannot be used.
    """
    if isinstance(found, Path):
        corpus = Corpus(str(found.resolve()), TextFile(found, **options), origin=str(found))
    else:
        spec = found.spec
        assert isinstance(spec, CorpusSpec)
        if spec.layout == "stream":
            raise UsageError(f"corpus {spec.name} is one long text (layout stream), which this version cannot train on")
        source = found.build(options)
        if not isinstance(source, Iterable) or isinstance(source, Iterator):
            raise PluginError(f"{found.what} of {found.package}: load gave {source!r:.60}, not a restartable iterable")
        corpus = Corpus(found.qualified, source, spec.source, spec.licence, spec.layout, spec.multiline, spec.domain)
    if valid is None and test is None:
        return corpus
    held_out = [TextFile(Path(path)) if path is not None else None for path in (valid, test)]
    with_held_out = WithHeldOut(corpus.source, *held_out)
    return Corpus(**{**vars(corpus), "source": with_held_out})


def file_options() -> Callable[..., Any]:
    """Whose signature gives the options of a corpus that is a file."""
    return corpora.read_lines


def provenance(plugins: Plugins, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Package, distribution and version behind some specs, as run.json holds them."""
    packages = sorted({entry.package for entry in entries})
    return [vars(plugins.plugins[package].provenance) for package in packages]


def option_fields(entry: Entry | None) -> list[str]:
    """The names of a part's options."""
    if entry is None or not isinstance(entry.spec, LoadableSpec):
        return []
    return list(entry.options_model().model_fields)


# -- the machine


def choose_threads(n_parameters: int, wanted: int | None) -> int:
    """CPU threads: as wanted, else one for small models, whose products are too short to share out."""
    import torch

    if wanted is not None:
        return wanted
    return 1 if n_parameters < 150_000 else torch.get_num_threads()


def choose_device(wanted: str) -> str:
    """A device that is there.

    Raises:
        UsageError: the wanted one is not.
    """
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[wanted.partition(":")[0]]:
        raise UsageError(f"no device {wanted!r} here; use --device cpu")
    return wanted


@contextlib.contextmanager
def cpu_threads(n: int) -> Iterator[None]:
    """Within it torch computes with ``n`` threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
