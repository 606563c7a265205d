"""A report for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_reports(register):
    """Register the report."""
    register(
        seqgen.ReportSpec(
            name="plugin-name",
            summary="metrics as a list in Markdown",
            source="CommonMark 0.31",
            load="plugin_package.report:MarkdownReport",
        )
    )
