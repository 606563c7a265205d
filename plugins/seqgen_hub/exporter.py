"""The exporter of hub folders: a run folder without what only training needs, and a model card."""

from __future__ import annotations

import mimetypes
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import seqgen
from seqgen import commands, exporting
from seqgen_hub import upload

_N_ROWS, _N_IDS = 4, 12
_N_VALUES = 10  # of a condition in the card
_LICENCE = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
_EXTRAS = {"bpe": "bpe", "smiles": "chem", "selfies": "chem"}
"""The extra that reading, writing and checking texts needs, by tokenizer and by domain."""
_MARKS = {"train": "a training record", "valid": "a held-out record", "test": "a held-out record"}
"""The mark of a sampled row, by the part of the corpus that has it."""


class HubExporter:
    """A folder with the weights, the settings, the tokenizer, and a README.md that is a model card.

    Args:
        licence: of the model, for the card; "": the card has none, and has the licence of the corpus only.
        n: number of sampled rows in the card.
        push: repository to upload the folder to, as OWNER/NAME; "": it is not uploaded.
        public: whether the repository may be public.

    Raises:
        BadOption: ``licence`` is no identifier, ``push`` no repository, or ``public`` is given without it.
        MissingExtra: huggingface_hub is not installed, and ``push`` is given.
    """

    def __init__(
        self,
        *,
        licence: Annotated[str, Field(description="licence of the model for the card, such as apache-2.0")] = "",
        n: Annotated[int, Field(ge=0, le=1000, description="sampled rows in the card")] = 10,
        push: Annotated[str, Field(description="upload to this repository of the hub, OWNER/NAME")] = "",
        public: Annotated[bool, Field(description="make the repository public, or upload to one that is")] = False,
    ) -> None:
        if licence and not _LICENCE.fullmatch(licence):
            raise seqgen.BadOption(
                f"cannot write the licence {licence!r} into a model card: it is no identifier; write one, such as "
                "--licence apache-2.0"
            )
        if public and not push:
            raise seqgen.BadOption("cannot make a folder public: --public is of --push OWNER/NAME, which is missing")
        if push:
            upload.check_repository(push)
        self.licence, self.n, self.push, self.public = licence, n, push, public

    def export(self, run: seqgen.Run, path: Path) -> seqgen.Exported:
        """Write the folder, open it as a run, compare its logits, and upload it if that is wanted.

        Raises:
            DiskError: a file cannot be written.
            UsageError: the path has the name of a file, or the folder cannot be uploaded; nothing is left behind.
        """
        kind, _ = mimetypes.MimeTypes().guess_type(path.name)
        if kind is not None:
            raise seqgen.UsageError(
                f"cannot make a folder called {path.name!r}: that is the name of a file; name a folder, such as "
                f"{path.stem!r} (sampled rows are written by seqgen sample {shlex.quote(str(run.path))} --out FILE)"
            )
        if self.push:
            upload.check_login(self.push)
        files = exporting.sampling_files(run) | {"README.md": self.card(run, path.name).encode("utf-8", "replace")}
        for name, data in files.items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            seqgen.write_atomic(file, data)
        import torch

        again = seqgen.load(path, plugins=run.plugins)
        rows = exporting.probe_rows(_N_ROWS, _N_IDS, exporting.symbols_of(run).allowed)
        pairs = zip(exporting.replayed(run.model, rows), exporting.replayed(again.model, rows), strict=True)
        # A maximum of floats would pass over NaN.
        difference = float(torch.stack([(mine - theirs).abs().max() for mine, theirs in pairs]).max())
        notes = [upload.upload(path, self.push, public=self.public)] if self.push and not difference else []
        return seqgen.Exported([path], "logits", difference, tolerance=0.0, notes=notes)

    def card(self, run: seqgen.Run, name: str) -> str:
        """Return the model card, Markdown with a head of YAML."""
        settings, mixed, start = run.settings, exporting.mixed_with(run), run.settings.start
        first = {}
        if start is not None:
            first["first weights"] = f"the run {Path(start.run).name} at step {start.step:,}, and all it learned from"
        parts = {
            "model": settings.architecture + (f" blended with {mixed}" if mixed else ""),
            "parameters": f"{settings.n_parameters:,}",
            "corpus": f"{settings.corpus.title}, {commands.counted(settings.corpus.n_records, 'record')}",
            "licence of the corpus": settings.corpus.licence or "not known",
            "SHA-256 of the records": settings.corpus.digest,
            **first,
            "tokenizer": settings.tokenizer.name,
            "conditions": "; ".join(_values(run)) or "none",
            "optimizer steps": f"{run.state['step']:,}",
            "made by": f"seqgen {settings.seqgen}",
        }
        tables = [_table("", parts), _table("Loss", _losses(run))]
        shown = _samples(run, self.n) if self.n else []
        use = ["## Use", "", *_use(settings, name, self.push), ""]
        head = ["---", "library_name: seqgen", "pipeline_tag: text-generation", "tags:", "- seqgen"]
        head += [f"license: {self.licence}"] if self.licence else []
        return "\n".join([*head, "---", "", f"# {_cell(name)}", "", *tables, *use, *shown]) + "\n"


def _values(run: seqgen.Run) -> Iterator[str]:
    """Yield each condition of a run with its values, some of them where they are many: "label: female, male"."""
    for slot in run.vocabulary.slots:
        pairs = (condition.partition("=") for condition in run.vocabulary.conditions)
        values = [value for name, _, value in pairs if name == slot]
        more = len(values) - _N_VALUES
        yield f"{slot}: {', '.join(values[:_N_VALUES])}" + (f" and {more:,} more" if more > 0 else "")


def _samples(run: seqgen.Run, n: int) -> list[str]:
    """Return sampled rows, with a mark at those that are records or invalid, as lines of Markdown."""
    rows = run.describe(list(run.sample(n)))
    about = f"{commands.counted(n, 'sampled row')}, seed 0."
    if run.vocabulary.ends and any(row["where"] is None for row in rows):
        about += " They are not compared with the training records."
    if run.lacking is not None:
        about += " Invalid rows are not marked."
    return ["## Samples", "", about, "", *(f"- <code>{_cell(row['text'])}</code>{_mark(row)}" for row in rows)]


def _mark(row: Mapping[str, Any]) -> str:
    """Return what a sampled row is beside a new and valid text, such as " (invalid)"; "" if nothing."""
    marks = ["invalid"] if row.get("valid") is False else []
    marks += [_MARKS[row["where"]]] if row["where"] in _MARKS else []
    return f" ({', '.join(marks)})" if marks else ""


def _use(settings: Any, name: str, repository: str) -> list[str]:
    """Return the commands that install seqgen and sample from the folder, Markdown.

    Args:
        settings: of the run.
        name: of the folder.
        repository: OWNER/NAME, where it is uploaded to; "" if it is not.
    """
    parts = (settings.tokenizer.name, settings.corpus.domain)
    extras = sorted({_EXTRAS[name] for name in (part.rpartition(":")[2] for part in parts) if name in _EXTRAS})
    here = f"'.[{','.join(extras)}]'" if extras else "."
    lines = [f"python -m pip install {here}  # in a clone of seqgen {seqgen.__version__} or newer"]
    files = {one["distribution"]: one["sha256"] for one in settings.plugins if one.get("sha256")}
    of_plugins = {one["distribution"] for one in settings.plugins} - {"seqgen-lm", None} - files.keys()
    lines += [f"python -m pip install {shlex.quote(str(one))}" for one in sorted(of_plugins)]
    lines += [f"hf download {repository} --local-dir {shlex.quote(name)}"] if repository else []
    given = [word for file in files for word in ("--plugin", file)]
    sample = shlex.join(["seqgen", "sample", name, "-n", "10", *given])
    needed = [f"It needs `{file}`, which is not in this folder (SHA-256 {digest})." for file, digest in files.items()]
    return [*needed, *([""] if needed else []), "```sh", *lines, sample, "```"]


def _losses(run: seqgen.Run) -> dict[str, str]:
    """Return the losses at the step of the checkpoint, as the run's log has them."""
    at_step = [row for row in run.metrics if row.get("step") == run.state["step"]]
    row: dict[str, Any] = at_step[-1] if at_step else {}
    if run.state.get("repeats") is None:
        row.pop("valid_without_repeats_bits_per_char", None)
    network = "network alone, " if exporting.mixed_with(run) else ""
    labels = {
        "valid_bits_per_char": "held-out records, bits per character",
        "valid_network_bits_per_char": "the same by the network alone",
        "valid_without_repeats_bits_per_char": "the same without what a record repeats",
        "train_bits_per_char": f"training records, {network}bits per character",
    }
    return {label: f"{row[key]:.3f}" for key, label in labels.items() if isinstance(row.get(key), float)}


def _table(heading: str, cells: dict[str, str]) -> str:
    def lines() -> Iterator[str]:
        if heading and cells:
            yield from (f"## {heading}", "")
        if cells:
            yield from ("| | |", "|---|---|")
            yield from (f"| {name} | {_cell(value)} |" for name, value in cells.items())
            yield ""

    return "\n".join(lines())


def _cell(text: str) -> str:
    """Return a text that is no markup in a table or a list of Markdown."""
    shown = seqgen.visible(text)
    return "".join(f"&#{ord(one)};" if one in "&<>\\`*_{}[]()#+!|~$" else one for one in shown)
