"""A domain at work: rows that are valid, new and drawn; metrics beside published figures; references."""

from __future__ import annotations

import gzip
import io
import json
import os
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from rich.text import Text

import seqgen
from conftest import WORDS
from seqgen.corpus import Splitter
from seqgen.plugins import Candidate, Plugins, entry_point_candidates


class NoUmbra:
    """Words without an "u"; case does not matter."""

    def validate(self, text):
        at = text.lower().find("u")
        return seqgen.Verdict(at < 0, f"a u at {at}" if at >= 0 else "", text.lower())


class Loud:
    suffixes = (".txt",)

    def __call__(self, text):
        return Text(text.upper())

    def draw(self, texts, suffix):
        return "\n".join(map(str.upper, texts)).encode()


class Lengths:
    published = {"another model (a paper)": {"mean": 4.5}}

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, samples, reference, training):
        return {
            "mean": self.scale * sum(map(len, samples)) / len(samples),
            "reference": len(reference),
            "training": sum(1 for _ in training) + sum(1 for _ in training),
            "single": np.float32(0.5),
            "whole": np.int64(3),
        }


def lengths(*, scale: float = 1.0):
    if os.environ.get("LACKING"):
        raise seqgen.MissingExtra("chem", "the metric lengths")
    return Lengths(scale)


def first_half(logits_BV, ids_BT):
    return logits_BV.index_fill(1, torch.arange(logits_BV.shape[1] // 2, logits_BV.shape[1]), -torch.inf)


class Pack:
    @staticmethod
    @seqgen.hookimpl
    def register_processors(register):
        register(seqgen.ProcessorSpec(name="half", summary="s", load=lambda: first_half))

    @staticmethod
    @seqgen.hookimpl
    def register_domains(register):
        register(seqgen.DomainSpec(name="quiet", summary="s", validator="no-u", renderer="loud", metrics=("lengths",)))

    @staticmethod
    @seqgen.hookimpl
    def register_validators(register):
        register(seqgen.ValidatorSpec(name="no-u", summary="s", load=NoUmbra))

    @staticmethod
    @seqgen.hookimpl
    def register_renderers(register):
        register(seqgen.RendererSpec(name="loud", summary="s", load=Loud))

    @staticmethod
    @seqgen.hookimpl
    def register_metrics(register):
        register(seqgen.MetricSpec(name="lengths", summary="s", load=lengths))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet")
    (folder / "words.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "others.txt").write_text("one\ntwo\nthree\n")
    plugins = Plugins(pytest.fail)
    plugins.load([*entry_point_candidates(), Candidate("pack", "pack", "1", Pack)])
    return seqgen.train(
        folder / "words.txt", domain="quiet", cell="vanilla", hidden=32, steps=400, batch_size=16, plugins=plugins,
        out=folder / "run",
    )  # fmt: skip


def test_rows_that_are_valid_new_and_different_are_the_first_ones_that_are(run):
    plain = run.sample(400, temperature=0.6)
    splitter = Splitter(run.settings.train.split)
    trained = {record.text for record in run.corpus if splitter.part(record) == "train"}
    valid = [row for row in plain if "u" not in row.text]
    assert run.sample(60, valid=True, temperature=0.6) == valid[:60]
    novel = [row for row in plain if row.text not in trained]
    assert run.sample(len(novel) - 20, novel=True, temperature=0.6) == novel[:-20]
    assert novel != plain and valid != plain
    both = [row.text for row in run.sample(20, valid=True, novel=True, unique=True, temperature=0.6)]
    assert both == list(dict.fromkeys(row.text for row in novel if "u" not in row.text))[:20]


def test_rows_say_whether_they_are_valid_and_in_which_form_they_are_compared(run):
    rows = run.describe(run.sample(60, temperature=1.4))
    for row in rows:
        assert row["valid"] == ("u" not in row["text"])
        assert row["canonical"] == (row["text"].lower() if row["valid"] else None)
    assert list(rows[0]) == ["row", "text", "cut", "valid", "canonical", "bits_per_char", "where"]
    assert {row["valid"] for row in rows} == {True, False}
    known = run.where([row["text"] for row in rows])
    for row in rows:
        is_refused = known[row["text"]] == "new" and not row["valid"]
        assert row["where"] == ("not valid" if is_refused else known[row["text"]])
    assert {"not valid", "new"} <= {row["where"] for row in rows}
    own = [seqgen.Sample(0, "umbra", False)]
    assert run.describe(own, given={"valid": "yes"})[0]["valid"] == "yes", "a condition keeps its name"


def test_without_a_validator_nothing_is_known_to_be_valid(tiny_run):
    with pytest.raises(seqgen.UsageError, match="the domain 'text' of this run has none"):
        tiny_run.sample(1, valid=True)


def test_decoding_steps_by_their_names_alone(run):
    expected = run.sample(5, processors={"half": {}})
    assert run.sample(5, processors=["half"]) == run.sample(5, processors="half") == expected != run.sample(5)
    with pytest.raises(seqgen.UnknownName, match="no processor named 'halff'; did you mean 'half'"):
        run.sample(5, processors=["halff"])


def test_records_of_a_reference_that_are_not_valid_are_said(run, tmp_path):
    (tmp_path / "reference.txt").write_text("one\ntwo\numbra\nsun\n")
    notes = run.evaluate(5, reference=tmp_path / "reference.txt")["notes"]
    assert next(note for note in notes if "of the reference are not valid" in note).startswith("2 of the")
    assert not any("of the reference" in note for note in run.evaluate(5).get("notes", ()))


def test_a_metric_that_takes_other_arguments_is_refused_with_its_signature(run, monkeypatch):
    monkeypatch.setattr(Lengths, "__call__", lambda self, samples: {})
    with pytest.raises(seqgen.PluginError, match=r"^metric lengths of pack .*: its signature is \(samples\), not "):
        run.evaluate(5)


def test_a_metric_that_raises_is_named(run, monkeypatch):
    monkeypatch.setattr(Lengths, "__call__", lambda self, samples, reference: samples[0] + 1)
    with pytest.raises(TypeError) as caught:
        run.evaluate(5)
    assert "metric lengths of pack" in caught.value.__notes__[0]


@pytest.mark.full
def test_a_metric_can_be_asked_for_in_any_run(run, tmp_path, monkeypatch):
    other = seqgen.train(
        run.path.parent / "words.txt", steps=2, hidden=4, plugins=run.plugins, out=tmp_path / "other", blend="none"
    )
    assert "lengths.mean" not in other.evaluate(5)
    plain = other.evaluate(5, metrics="lengths")
    scaled = other.evaluate(5, metrics=["lengths"], options={"lengths.scale": 2.0})
    assert scaled["lengths.mean"] == 2 * plain["lengths.mean"]
    of_another = "the metric lengths is for the domain quiet, not for text: its values may mean nothing"
    assert of_another in plain["notes"] and of_another not in other.evaluate(5)["notes"]
    assert not [note for note in run.evaluate(5, metrics="lengths").get("notes", ()) if "is for the domain" in note]
    with pytest.raises(seqgen.UnknownName, match="no metric named 'length'; did you mean 'lengths'"):
        other.evaluate(5, metrics=["length"])
    monkeypatch.setenv("LACKING", "1")
    with pytest.raises(seqgen.MissingExtra):
        other.evaluate(5, metrics=["lengths"])


def test_values_that_a_metric_omits_are_noted(run, monkeypatch):
    monkeypatch.setattr(Lengths, "omitted", {"weight": "letters have none"}, raising=False)
    assert "left out: lengths.weight, since letters have none" in run.evaluate(5)["notes"]
    of_few = dict.fromkeys(("weight", "size"), "there are few")
    monkeypatch.setattr(Lengths, "omitted", {**of_few, "colour": "letters have none", "age": "there are few"})
    assert [line for line in run.evaluate(5)["notes"] if "left out: lengths" in line] == [
        "left out: lengths.weight, lengths.size, lengths.age, since there are few",
        "left out: lengths.colour, since letters have none",
    ]
    monkeypatch.setattr(Lengths, "omitted", {"weight": "letters have none"})
    measured = Lengths.__call__

    def with_none(self, samples, reference, training):
        return measured(self, samples, reference, training) | {"weight": None, "size": np.float32("inf")}

    monkeypatch.setattr(Lengths, "__call__", with_none)
    figures = run.evaluate(5)
    assert "lengths.weight" not in figures and "lengths.size" not in figures
    assert [line for line in figures["notes"] if "left out: lengths" in line] == [
        "left out: lengths.weight, since letters have none",
        "left out: lengths.size, since there is nothing to compute it from",
    ]


def test_figures_of_the_domain_with_its_options_and_a_reference(run, monkeypatch):
    figures = run.evaluate(50)
    held_out = sum(run.settings.corpus.parts[part] for part in ("valid", "test"))
    assert figures["lengths.reference"] == held_out
    assert json.dumps([figures["lengths.single"], figures["lengths.whole"]]) == "[0.5, 3]"
    assert figures["lengths.training"] == 2 * run.settings.corpus.parts["train"]
    assert figures["valid"] < 1 and "published" not in figures
    others = run.evaluate(50, reference=str(run.path.parent / "others.txt"), options={"scale": 2.0})
    assert others["lengths.reference"] == 3
    assert others["lengths.mean"] == pytest.approx(2 * figures["lengths.mean"])
    assert others["published"] == {"lengths": {"another model (a paper)": {"mean": 4.5}}}
    for names, shown in ((("elsewhere",), False), (("elsewhere", "pokemon"), True)):
        monkeypatch.setattr(Lengths, "published_on", names, raising=False)
        assert ("published" in run.evaluate(9, reference="pokemon")) == shown
    with pytest.raises(seqgen.BadOption, match="no part has the option 'scal'"):
        run.evaluate(5, options={"scal": 2})
    (empty := run.path.parent / "empty.txt").write_text("\n")
    with pytest.raises(seqgen.CorpusError, match=r"with the reference '.*empty.txt': it has no record"):
        run.evaluate(5, reference=empty)


def test_a_metric_that_needs_what_is_not_installed_is_left_out_unless_it_was_asked_for(run, monkeypatch):
    monkeypatch.setenv("LACKING", "1")
    figures = run.evaluate(20)
    assert "left out: the metric lengths needs the extra 'chem': pip install 'seqgen-lm[chem]'" in figures["notes"]
    assert "valid" in figures and not any(name.startswith("lengths.") for name in figures)
    for asked in ({"options": {"scale": 2.0}}, {"reference": str(run.path.parent / "others.txt")}):
        with pytest.raises(seqgen.MissingExtra):
            run.evaluate(20, **asked)


def test_rows_are_drawn_by_the_domain_or_as_a_terminal_would(run, tiny_run, tmp_path):
    from seqgen.render import draw

    assert draw(["a", "b"], ".txt", run.renderer) == b"A\nB"
    for renderer in (None, run.renderer):
        svg = draw(["[bold]x[/bold]", "a\nb\x1b[0m"], ".svg", renderer).decode()
        ElementTree.fromstring(svg)
        assert "bold" in svg.lower() and "\x1b" not in svg


def test_the_command_line_draws_what_it_samples(cli, tiny_run, tmp_path):
    picture = tmp_path / "rows.svg"
    result = cli("sample", tiny_run.path, "-n", 3, "--picture", picture)
    assert result.code == 0 and len(result.out.splitlines()) == 3
    drawn = picture.read_text().replace("&#160;", " ")
    assert all(line in drawn for line in result.out.splitlines())
    again = ("sample", tiny_run.path, "-n", 4, "--picture", picture)
    refused, before = cli(*again), picture.read_bytes()
    assert refused.code == 2 and "it exists; pass another --picture, or --force" in refused.err and not refused.out
    assert cli(*again, "--force").code == 0 and picture.read_bytes() != before
    result = cli("sample", tiny_run.path, "--picture", tmp_path / "rows.bmp")
    assert result.code == 2 and "this domain draws .svg" in result.err and not (tmp_path / "rows.bmp").exists()


def test_filters_of_the_command_line(cli, tiny_run, words, tmp_path):
    trained = set(words.read_text().split())
    result = cli("sample", tiny_run.path, "-n", 20, "--novel", "--unique")
    assert result.code == 0 and len(set(result.out.splitlines())) == 20
    assert not trained & set(result.out.splitlines())
    assert cli("sample", tiny_run.path, "--valid").code == 2
    assert "FIELD=VALUE" in cli("sample", tiny_run.path, "--given", "cost").err


def test_a_reference_on_the_command_line(cli, tiny_run, words):
    result = cli("evaluate", tiny_run.path, "-n", 20, "--reference", words, "--json")
    assert result.code == 0 and "published" not in json.loads(result.out)
    assert cli("evaluate", tiny_run.path, "--reference", "nope").code == 2


def test_a_bare_option_does_not_replace_the_reference(cli, tmp_path, words):
    """One wheel may hold the lists of a metric and a reference; a reference of one's own stays what it is."""
    plugin = tmp_path / "listed.py"
    plugin.write_text(
        "import seqgen\n\n\ndef load(*, path: str = 'none'):\n"
        "    return lambda samples, reference: {'n': len(reference), 'of_path': len(path)}\n\n\n"
        "@seqgen.hookimpl\ndef register_metrics(register):\n"
        "    register(seqgen.MetricSpec(name='listed', summary='s', source='t', load=load))\n\n\n"
        "@seqgen.hookimpl\ndef register_domains(register):\n"
        "    register(seqgen.DomainSpec(name='listed', summary='s', metrics=('listed',)))\n"
    )
    train = ("train", "--corpus", words, "--plugin", plugin, "--domain", "listed", "--hidden", 4, "--steps", 2)
    assert cli(*train, "--cell", "vanilla", "--out", tmp_path / "run", "-q").code == 0
    other = tmp_path / "reference.txt"
    other.write_text("ada\nbea\n")
    asked = (
        "evaluate",
        tmp_path / "run",
        "-n",
        5,
        "--reference",
        other,
        "-o",
        "path=four",
        "--json",
        "--plugin",
        plugin,
    )
    result = cli(*asked)
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert (found["listed.n"], found["listed.of_path"]) == (2, 4)


def test_a_bare_option_does_not_replace_the_file_of_a_reference(run, tmp_path):
    (tmp_path / "reference.txt").write_text("one\ntwo\n")
    (tmp_path / "other.txt").write_text("three\n")
    other = str(tmp_path / "other.txt")
    with pytest.raises(seqgen.BadOption, match=r"cannot set 'path': --reference .* says it; write corpus.path"):
        run.evaluate(5, reference=tmp_path / "reference.txt", options={"path": other})
    both = run.evaluate(5, reference=tmp_path / "reference.txt", options={"corpus.path": other})
    assert both["lengths.reference"] == 1


def test_published_figures_stand_beside_those_of_the_run():
    from rich.console import Console

    from seqgen.render import evaluation_view

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(evaluation_view({"run": "r", "moses.valid": 0.5}, {"CharRNN": {"moses.valid": 0.975}}))
    text = console.export_text()
    assert "CharRNN" in text and any("0.500" in line and "0.975" in line for line in text.splitlines())


HEXES = """
import seqgen

@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="NAME", summary="s", source="s", endings=(".hex",)))
"""


@pytest.mark.full
def test_a_file_is_of_the_domain_that_its_ending_tells(cli, in_tmp):
    (in_tmp / "hexes_one.py").write_text(HEXES.replace("NAME", "hex"))
    (in_tmp / "hexes_two.py").write_text(HEXES.replace("NAME", "base16"))
    with gzip.open("mine.HEX.gz", "wt") as file:
        file.write("\n".join(WORDS) + "\n")
    (in_tmp / "plain.txt").write_text("\n".join(WORDS) + "\n")
    train = ("train", "--hidden", 4, "--steps", 1, "--plugin", "hexes_one.py")

    def domain(run):
        return json.loads((in_tmp / run / "run.json").read_text())["corpus"]["domain"]

    told = cli(*train, "--corpus", "mine.HEX.gz", "--out", "a")
    assert told.code == 0 and "(domain: hex): " in told.err and domain("a") == "hexes_one:hex"
    assert cli(*train, "--corpus", "plain.txt", "--out", "b").code == 0 and domain("b") == "seqgen:text"
    told = cli(*train, "--corpus", "mine.HEX.gz", "--domain", "text", "--out", "c")
    assert told.code == 0 and "(domain" not in told.err and domain("c") == "seqgen:text"
    assert cli(*train, "--corpus", "mine.HEX.gz", "--from", "b", "--out", "d").code == 0
    assert domain("d") == "seqgen:text"
    both = (*train, "--plugin", "hexes_two.py", "--corpus", "mine.HEX.gz", "--out", "e")
    refused = cli(*both)
    assert (refused.code, refused.err) == (
        2,
        "seqgen: files that end in .hex belong to several domains; say which: "
        "--domain hexes_two:base16 or --domain hexes_one:hex\n",
    )
    assert cli(*both, "--domain", "hex").code == 0 and domain("e") == "hexes_one:hex"
