"""The content of the report."""

import seqgen

from plugin_package.report import MarkdownReport


def test_every_metric_has_a_line(tmp_path):
    """With its label and its value."""
    evaluation = seqgen.Evaluation(metrics={"novel": 0.5, "mine.length": 3.0})
    (file,) = MarkdownReport(title="Mine").write(evaluation, tmp_path / "metrics.md")
    novel = seqgen.METRICS["novel"].label
    assert file.read_text() == f"# Mine\n\n- {novel}: 50.0%\n- mine.length: 3.000\n"
