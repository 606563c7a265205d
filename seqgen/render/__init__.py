"""Rich renderables of results; nothing here prints."""

from seqgen.render.evaluation import evaluation_view
from seqgen.render.heat import HEAT_LEGEND, STOP, heat_map, score_line
from seqgen.render.picture import draw, export_svg
from seqgen.render.tables import (
    EMPTY_ROW,
    Listing,
    corpus_view,
    options_table,
    place_of,
    samples_table,
    spec_view,
)
from seqgen.render.text import counted, duration, percent, sparkline, visible, visible_json, visible_line, visible_lines

__all__ = [
    "EMPTY_ROW", "HEAT_LEGEND", "STOP", "Listing", "corpus_view", "counted", "draw", "duration", "evaluation_view",
    "export_svg", "heat_map", "options_table", "percent", "place_of", "samples_table", "score_line", "sparkline",
    "spec_view", "visible", "visible_json", "visible_line", "visible_lines",
]  # fmt: skip
