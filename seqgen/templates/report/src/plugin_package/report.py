"""The metrics of an evaluation as a list in Markdown."""

from pathlib import Path

import seqgen


class MarkdownReport:
    """A list of metrics.

    Args:
        title: the heading above it.
    """

    def __init__(self, *, title: str = "Evaluation") -> None:
        self.title = title

    def write(self, evaluation: seqgen.Evaluation, path: Path) -> list[Path]:
        """Write the report and return its files."""
        lines = [f"# {self.title}", ""]
        for _, rows in evaluation.groups():
            lines += [f"- {seqgen.visible(row.label)}: {seqgen.visible(row.value)}" for row in rows]
        seqgen.write_atomic(path, ("\n".join(lines) + "\n").encode())
        return [path]
