"""The exporter of hub folders: a run folder without what only training needs, and a model card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import seqgen
from seqgen import exporting

_N_ROWS, _N_IDS = 4, 12


class HubExporter:
    """A folder with the weights, the settings, the tokenizer, and a README.md that is a model card.

    Args:
        licence: of the model, for the card; "": the card has none, and has the licence of the corpus only.
        n: number of sampled rows in the card.
    """

    def __init__(
        self,
        *,
        licence: Annotated[str, Field(description="licence of the model for the card, such as apache-2.0")] = "",
        n: Annotated[int, Field(ge=0, le=1000, description="sampled rows in the card")] = 10,
    ) -> None:
        self.licence, self.n = licence, n

    def export(self, run: seqgen.Run, path: Path) -> seqgen.Exported:
        """Write the folder, open it as a run, and compare its logits.

        Raises:
            DiskError: a file cannot be written.
        """
        files = exporting.sampling_files(run) | {"README.md": self.card(run, path.name).encode("utf-8", "replace")}
        for name, data in files.items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            seqgen.write_atomic(file, data)
        again = seqgen.load(path, plugins=run.plugins)
        rows = exporting.probe_rows(_N_ROWS, _N_IDS, exporting.symbols_of(run).allowed)
        pairs = zip(exporting.replayed(run.model, rows), exporting.replayed(again.model, rows), strict=True)
        difference = max(float((mine - theirs).abs().max()) for mine, theirs in pairs)
        return seqgen.Exported([path / name for name in files], "logits", difference, tolerance=0.0)

    def card(self, run: seqgen.Run, name: str) -> str:
        """Return the model card, Markdown with a head of YAML."""
        settings = run.settings
        parts = {
            "model": settings.architecture + (" blended with counts" if exporting.counts_of(run) is not None else ""),
            "parameters": f"{settings.n_parameters:,}",
            "corpus": f"{settings.corpus.title}, {settings.corpus.n_records:,} records",
            "licence of the corpus": settings.corpus.licence or "not known",
            "SHA-256 of the records": settings.corpus.digest,
            "tokenizer": settings.tokenizer.name,
            "conditions": ", ".join(run.vocabulary.slots) or "none",
            "optimizer steps": f"{run.state['step']:,}",
            "made by": f"seqgen {settings.seqgen}",
        }
        tables = [_table("", parts), _table("Loss", _losses(run))]
        rows = [_cell(row.text) for row in run.sample(self.n)] if self.n else []
        shown = [
            "## Samples",
            "",
            "Ten sampled rows, seed 0." if self.n == 10 else f"{self.n} sampled rows, seed 0.",
            "",
        ]
        shown += [f"- <code>{row}</code>" for row in rows]
        use = ["## Use", "", "```sh", "pip install seqgen-lm", f"seqgen sample {name} -n 10", "```", ""]
        head = ["---", "library_name: seqgen", "pipeline_tag: text-generation", "tags:", "- seqgen"]
        head += [f"license: {self.licence}"] if self.licence else []
        return "\n".join([*head, "---", "", f"# {_cell(name)}", "", *tables, *use, *(shown if rows else [])]) + "\n"


def _losses(run: seqgen.Run) -> dict[str, str]:
    """Return the losses at the step of the checkpoint, as the run's log has them."""
    at_step = [row for row in run.metrics if row.get("step") == run.state["step"]]
    row: dict[str, Any] = at_step[-1] if at_step else {}
    labels = {
        "valid_bits_per_char": "held-out records, bits per character",
        "valid_network_bits_per_char": "the same by the network alone",
        "train_bits_per_char": "training records, bits per character",
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
