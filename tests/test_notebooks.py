"""Results as notebooks show them, and the notebooks of the documentation."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.table import Table
from rich.text import Text

import seqgen
from seqgen.render.curve import bars, loss_curve
from seqgen.render.html import heat_html

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))
HAS_KERNEL = importlib.util.find_spec("nbclient") is not None and importlib.util.find_spec("ipykernel") is not None


def test_samples_are_a_list_with_a_table(tiny_run):
    rows = tiny_run.sample(5, seed=3)
    assert isinstance(rows, list) and rows == list(tiny_run.iter_samples(5, seed=3)) and rows[1:] == list(rows)[1:]
    described = rows.to_rows()
    assert [row["text"] for row in described] == [row.text for row in rows]
    assert all(row["bits_per_char"] > 0 and row["where"] in ("train", "valid", "test", "new") for row in described)
    html = rows._repr_html_()
    assert html.count("<tr>") == 6 and all(row.text in html for row in rows)
    assert rows.plot().content.startswith(b"<svg")


def test_scores_show_what_each_symbol_costs(tiny_run):
    scores = tiny_run.score(["anna", "nora"])
    assert [row["nats"] for row in scores.to_rows()] == [score.nats for score in scores]
    html = scores._repr_html_()
    assert html.count(' bits"') == 10 and "bits/char" in html  # four symbols and the end of each
    assert scores.plot().content.startswith(b"<svg")


def test_an_evaluation_is_a_dictionary_with_tables(tiny_run):
    result = tiny_run.evaluate(20)
    assert json.loads(json.dumps(result)) == dict(result) and isinstance(result, dict)
    html = result._repr_html_()
    assert "Baselines on the same split" in html and html.count("<table>") >= 3
    row = next(row for row in result.to_rows() if row["metric"] == "test_bits_per_char")
    assert (row["value"], row["low"]) == (result["test_bits_per_char"], result["test_bits_per_char_low"])
    assert b"unigram" in result.plot().content


def test_a_run_shows_its_curve(tiny_run):
    html = tiny_run._repr_html_()
    assert "vanilla" in html and html.count("<polyline") == 2 and "step" in html
    rows = tiny_run.to_rows()
    assert len({tuple(row) for row in rows}) == 1 and [row["step"] for row in rows] == [20, 40, 60]
    assert b"held out" in tiny_run.plot().content


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_rows_become_data_frames(package, tiny_run):
    rows = tiny_run.sample(4)
    if importlib.util.find_spec(package) is None:
        with pytest.raises(seqgen.MissingExtra, match=f"seqgen-lm\\[{package}\\]"):
            getattr(rows, f"to_{package}")()
        return
    frame = getattr(rows, f"to_{package}")()
    assert list(frame["text"]) == [row.text for row in rows] and frame.shape[0] == 4


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_values_that_come_late_are_those_of_the_data_frame(package):
    pytest.importorskip(package)

    class Rows(seqgen.Tabular):
        def to_rows(self):
            early = {"canonical": None, "valid": None, "loss": 1, "year": None}
            return [early] * 150 + [{"canonical": "CCO", "valid": True, "loss": 2.5, "year": 1999}]

    frame = getattr(Rows(), f"to_{package}")()
    assert [list(frame[name])[-1] for name in frame.columns] == ["CCO", True, 2.5, 1999]
    assert frame.shape == (151, 4)


def test_a_picture_is_saved_as_svg_only(tiny_run, tmp_path):
    tiny_run.plot().save(tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_bytes() == tiny_run.plot().content
    with pytest.raises(seqgen.BadOption, match=r"ends in \.svg"):
        tiny_run.plot().save(tmp_path / "curve.png")


@given(st.text(min_size=1, max_size=30))
def test_no_text_of_a_corpus_becomes_markup(text):
    table = Table(title=Text(text))
    table.add_column(Text(text))
    table.add_row(Text(text))
    found = seqgen.export_html(Group(table, Text(text), text))
    found += heat_html([text], [1.0], text) + bars({text: 1.0}, text)
    assert re.sub(r"</?(table|tr|th|td|div|b|span|svg|text|rect)( [^<>]*)?>|/>", "", found).count("<") == 0


LOSSES = st.floats(-1e6, 1e6) | st.sampled_from([float("nan"), float("inf"), None])


@given(st.lists(st.tuples(st.integers(1, 10**6), LOSSES), max_size=30))
def test_any_log_has_a_curve(points):
    drawn = loss_curve([{"step": step, "valid_loss_nats": loss} for step, loss in points])
    assert drawn.startswith("<svg") and drawn.endswith("</svg>") and "nan" not in drawn and "inf" not in drawn


def test_a_long_log_is_drawn_with_few_points():
    drawn = loss_curve([{"step": step, "train_loss_nats": 1.0} for step in range(1, 10_001)])
    (points,) = re.findall(r'points="([^"]*)"', drawn)
    assert 300 < len(points.split()) <= 400


def test_the_notebooks_ran_to_their_end():
    assert len(NOTEBOOKS) == 3
    for path in NOTEBOOKS:
        cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), path.name
        assert not [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"], path.name


def test_the_outputs_of_the_notebooks_have_the_labels_of_today():
    baselines = [name for name in seqgen.METRICS if name.startswith("baseline_") and name.endswith("_bits_per_char")]
    for stem in ("course_notebook", "chemist"):
        text = next(path for path in NOTEBOOKS if path.stem == stem).read_text(encoding="utf-8")
        pictures = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", text)
        shown = text + "".join(base64.b64decode(picture).decode() for picture in pictures)
        assert [name for name in baselines if seqgen.METRICS[name].label not in shown] == [], stem


@pytest.mark.slow
@pytest.mark.skipif(not HAS_KERNEL, reason="needs the extra notebook")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_run(path, tmp_path):
    if path.stem == "chemist":
        pytest.importorskip("rdkit")
        pytest.importorskip("pandas")
    import nbclient
    import nbformat

    book = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(book, timeout=1200, kernel_name="python3", resources=where).execute()
    shown = [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
    assert any("<polyline" in str(out.get("data", {}).get("text/html", "")) for out in shown)
