"""Mistakes of newcomers, and the hints that they get."""

import json

import pytest
import torch

import seqgen
from seqgen.api.train import plan
from seqgen.engine.plan_runner import TracedStep

CELL = """
import torch
import seqgen


class Odd(seqgen.StepCell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, hidden_size)
        self.input = torch.nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def step(self, p_BP, h_BH):
        return torch.tanh(p_BP + self.recurrent(h_BH))


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="odd", summary="forgets its state", load="oddcell:Odd"))
"""


@pytest.fixture
def train(cli, in_tmp):
    def call(corpus, *arguments, out="run"):
        return cli("train", "--corpus", corpus, "--steps", 2, "-q", "--out", in_tmp / out, *arguments)

    return call


def test_a_step_must_return_a_pair(train, words, in_tmp):
    (in_tmp / "oddcell.py").write_text(CELL)
    result = train(words, "--cell", "odd", "--plugin", in_tmp / "oddcell.py")
    assert result.code == 5 and "step must return (output, state), not Tensor" in result.err


def test_a_spec_names_its_module(train, words, in_tmp):
    (in_tmp / "renamed.py").write_text(CELL.replace("oddcell:", "before_it_was:"))
    result = train(words, "--cell", "odd", "--plugin", in_tmp / "renamed.py")
    assert result.code == 5 and "its spec has load='before_it_was:Odd', but the module is 'renamed'" in result.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("sample", "--start", "Pe"), "no such option: --start; did you mean --prefix?"),
        (("sample", "--count", "3"), "no such option: --count; did you mean -n?"),
        (("train", "--data", "x.txt"), "no such option: --data; did you mean --corpus?"),
        (("runs", "--data", "x.txt"), "no such option: --data; seqgen runs --help lists what it takes"),
        (
            ("train", "--corpus", "names", "--cell", "gru.py"),
            "no cell named 'gru.py' (load a file by --plugin gru.py, and give the name that it registers)",
        ),
        (("sample", "--sort"), "no such option: --sort; seqgen sample --help lists what it takes"),
        (("sample", "--temprature", "2"), "no such option: --temprature; did you mean --temperature or --template?"),
        (("runs", "--hlep"), "no such option: --hlep; did you mean --help?"),
        (("sample", "--uniqe"), "no such option: --uniqe; did you mean --unique?"),
        (("train", "--resume"), "no such option: --resume; it is a command: seqgen resume"),
        (("help",), "no such command 'help': seqgen --help lists the commands"),
        (("help", "train"), "no such command 'help': seqgen train --help"),
        (("version",), "no such command 'version': seqgen --version prints it"),
        (("generate",), "no such command 'generate': rows are sampled by: seqgen sample RUN"),
        (("continue",), "no such command 'continue': a run is continued by: seqgen resume RUN"),
        (("rename", "a", "b"), "no such command 'rename': a run is a folder: delete or rename the folder"),
        (
            ("train", "--corpus", "names", "--cell", "LTSM"),
            "no cell named 'LTSM'; did you mean 'lstm' or 'glstm' or 'wnlstm'?",
        ),
        (
            ("train", "--corpus", "names.csv", "-o", "corpus.encoding=windows"),
            "no encoding named 'windows'; did you mean 'cp1252'?",
        ),
        (
            ("sample", "names.csv"),
            "no run 'names.csv': it is a file; train on it first: seqgen train --corpus names.csv",
        ),
        (("page", "run"), "no such command 'page': it is an exporter: seqgen export page RUN OUT"),
        (("show", "names.csv"), "no kind named 'names.csv' (it is a file: seqgen show corpus names.csv)"),
    ],
)
def test_other_words_are_understood(cli, in_tmp, arguments, says):
    (in_tmp / "names.csv").write_text("text\nanna\n")
    result = cli(*arguments)
    assert result.code == 2 and result.err == f"seqgen: {says}\n"


def test_a_file_of_a_run_or_that_one_was_trained_on_leads_to_the_run(cli, tiny_run, words, in_tmp):
    assert cli("train", "--corpus", words, "--steps", 1, "--hidden", 4, "-q").code == 0
    assert "it is a file; did you mean 'words-gru-001'?" in cli("sample", words).err
    inside = cli("sample", tiny_run.path / "run.json").err
    assert f"it is a file of the run {str(tiny_run.path)!r}: give that" in inside


def test_a_flag_with_the_name_of_a_condition_is_led_to_given(cli, conditioned_run):
    result = cli("sample", conditioned_run, "--kind", "odd")
    assert result.code == 2 and result.err.endswith("it is a condition of conditioned: --given kind=odd\n")
    assert "condition" not in cli("sample", conditioned_run, "--sort", "odd").err


@pytest.fixture
def conditioned_run(in_tmp):
    rows = "".join(f"anna{n},{'odd' if n % 2 else 'even'}\n" for n in range(40))
    (in_tmp / "kinds.csv").write_text("name,kind\n" + rows)
    return seqgen.train("kinds.csv", text_field="name", condition="kind", steps=1, hidden=4, out="conditioned").path


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("RUN", "p.html"), "export NAME RUN p.html, where NAME is one of hub, onnx, page\n"),
        (("RUN", "page", "p.html"), "export page RUN p.html\n"),
        (("RUN", "page"), "export page RUN OUT\n"),
    ],
)
def test_a_run_in_the_place_of_an_exporter_is_named(cli, tiny_run, words, line):
    run = str(tiny_run.path)
    result = cli("export", *(word.replace("RUN", run) for word in words))
    expected = f"seqgen: no exporter named {run!r} (it is a run): seqgen {line.replace('RUN', run)}"
    assert result.code == 2 and result.err == expected


def test_a_file_to_write_is_refused_by_its_folder_and_its_ending(cli, tiny_run, in_tmp):
    missing = cli("export", "page", tiny_run.path, "pages/p.html")
    assert missing.code == 7 and missing.err.endswith("'pages/p.html': there is no folder 'pages'; make it first\n")
    for words in (("export", "page", tiny_run.path, "p.pdf"), ("evaluate", tiny_run.path, "--html", "p.pdf")):
        refused = cli(*words)
        assert refused.code == 2 and "'p.pdf': it would be no .pdf file; write p.html" in refused.err
    assert not list(in_tmp.glob("p.*"))


def test_a_byte_of_another_encoding_names_one_to_try(cli, in_tmp):
    (in_tmp / "a.txt").write_bytes("Jäger\n".encode("cp1252"))
    assert "encoding=NAME reads another encoding (cp1252 is the most likely" in cli("show", "corpus", "a.txt").err


def test_keywords_are_named_as_they_are_given_and_by_other_words(tiny_run, words):
    with pytest.raises(seqgen.BadOption, match=r"option 'time' of train .*: '1 fortnight' is not a duration"):
        seqgen.train(words, time="1 fortnight")
    with pytest.raises(seqgen.BadOption, match=r"no option 'time_s'; did you mean 'time'\?"):
        seqgen.train(words, time_s="1m")
    with pytest.raises(seqgen.BadOption, match=r"no option 'starts'; did you mean 'prefix'\?"):
        tiny_run.sample(5, starts="Gr")
    expected = r"'Deep' has no values by name; write it like \{'language': 'Deep'\}"
    for refused in (tiny_run.sample, tiny_run.next_symbols, tiny_run.top):
        with pytest.raises(seqgen.BadOption, match=expected):
            refused(given="Deep")
    with pytest.raises(seqgen.BadOption, match=expected):
        tiny_run.score("anna", given="Deep")
    with pytest.raises(seqgen.BadOption, match=expected):
        tiny_run.describe(tiny_run.sample(1), given="Deep")


def test_a_folder_of_runs_names_the_newest(cli, tiny_run):
    result = cli("evaluate", tiny_run.path.parent)
    assert result.code == 2 and f"holds runs, of which the newest is {str(tiny_run.path)!r}" in result.err


def test_a_handful_of_records_is_too_few(cli, in_tmp):
    (in_tmp / "three.txt").write_text("anna\nben\ncarl\n")
    result = cli("train", "--corpus", "three.txt", "--steps", 2, "--hidden", 4, "--out", "run")
    assert result.code == 0 and "too few to learn much from: add records, or start from a run" in result.err


def test_blank_lines_between_records_of_several_lines_are_noticed(cli, in_tmp):
    (in_tmp / "poems.txt").write_text("\n".join(f"anna {n}\nben {n}\ncarl\n" for n in range(20)))
    said = []
    for separator in ({}, {"corpus.separator": ""}):
        seqgen.train("poems.txt", steps=1, hidden=4, options=separator, out=f"run{len(said)}", warn=said.append)
    (line,) = (line for line in said if "blank lines" in line)
    assert line.startswith("19 blank lines are skipped: if they separate records") and "-o corpus.separator=" in line
    assert line in cli("show", "corpus", "poems.txt").out.replace("\n", " ")
    (in_tmp / "poems.jsonl").write_text("".join(f'{{"text": "anna {n}"}}\n{{"text": "ben"}}\n\n' for n in range(20)))
    assert "separate records" not in cli("show", "corpus", "poems.jsonl").out


def test_white_space_around_records_is_noticed(cli, in_tmp):
    (in_tmp / "pubs.txt").write_text("".join(f"{' ' * (n == 5)}pub {n}{' ' * (n % 2)}\n" for n in range(20)))
    line = "10 records begin or end with white space, which is kept as symbols: -o corpus.strip=true removes it"
    for strip in (False, True):
        said = []
        seqgen.train(
            "pubs.txt", steps=1, hidden=4, blend="none", options={"corpus.strip": strip}, out=f"run{strip}",
            warn=said.append,
        )  # fmt: skip
        assert (line in said) == (not strip)
        shown = cli("show", "corpus", "pubs.txt", "-o", f"corpus.strip={strip}".lower()).out.replace("\n", " ")
        assert (line in shown) == (not strip)
    (in_tmp / "pubs.jsonl").write_text('{"text": "anna "}\n' * 20)
    assert "white space" not in cli("show", "corpus", "pubs.jsonl").out
    (in_tmp / "one.txt").write_text("anna\u00a0\nben\n")
    assert "1 record begins or ends with white space" in cli("show", "corpus", "one.txt").out


def test_the_column_of_the_label_can_be_a_field_of_the_text_too(in_tmp):
    rows = "".join(f"anna{n},{'New Kent' if n % 2 else 'Devon'}\n" for n in range(40))
    (in_tmp / "names.csv").write_text("name,county\n" + rows)
    small = {"label_field": "county", "condition": "label", "steps": 2, "hidden": 4}
    run = seqgen.train("names.csv", text_field="name", out="plain", **small)
    with pytest.raises(seqgen.UsageError, match=r"'county' is the label of this run: ask for it by --label 'New Kent'"):
        run.sample(1, given={"county": "New Kent"})
    fields = seqgen.train("names.csv", options={"corpus.fields": "county,name"}, out="fields", **small)
    assert fields.sample(1, given={"county": "Devon"})[0].text.startswith("county=Devon\n")


@pytest.mark.full
def test_an_unknown_name_may_stand_in_a_file(train, words):
    far, near = train(words, "--cell", "wombat"), train(words, "--cell", "lstmm")
    assert far.code == near.code == 2
    assert "--plugin FILE.py" in far.err and "--plugin" not in near.err and "did you mean 'lstm'" in near.err


@pytest.mark.full
def test_records_that_are_none_of_the_domain_are_told(train, in_tmp):
    path = in_tmp / "rows.txt"
    path.write_text("".join(f"{name} 17\n" for name in ("ada", "bea", "cyd", "Dora!")) * 20)
    result = train(path, "--domain", "name")
    assert result.code == 0, result.err
    assert "80 of the first 80 records are not valid for the domain name, such as 'ada 17': " in result.err
    assert "they are trained on as they are; a line must be the text alone: cut -f1" in result.err
    path.write_text("Ada\nBea\nCyd\n" * 20 + "D7\n")
    some = train(path, "--domain", "name", out="some")
    assert some.code == 0 and "1 of the first 61 records are not valid for the domain name, such as 'D7': " in some.err
    assert some.err.endswith("they are trained on as they are\n")
    path.write_text("".join(f"{name}\n" for name in ("Ada", "Bea", "Cyd", "Dora")) * 20)
    again = train(path, "--domain", "name", out="other")
    assert again.code == 0 and again.err == ""


WRAPPED = "The bell of the old church rings; then it\nstops, and all the people of the village go home.\n" * 30


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.fna",
            ">a\nACGT\n>b\nGATTACA\n>c\nACGJ\n" * 9,
            "9 of the first 27 records are not valid for the domain dna, such as 'ACGJ'",
        ),
        ("a.txt", WRAPPED, "begin amid a sentence: --layout stream reads them"),
        ("a.txt", "anna \nben\n" * 30, "30 records begin or end with white space"),
        ("a.txt", "anna\nben\n" * 30, None),
        ("a.csv", "selfies\n[C][O]\n[N]\nCCO\n" + "[C]\n" * 30, "1 of the first 33 records are not SELFIES"),
        ("a.selfies", "CCO\nCN\n" * 30, "cannot train with the tokenizer selfies: 60 of the first 60"),
    ],
)
def test_a_file_is_shown_with_the_warnings_of_training(name, content, said, cli, in_tmp):
    (in_tmp / name).write_text(content)
    if ".fna" in name:
        pytest.importorskip("seqgen_bio")
    elif "selfies" in name + content:
        pytest.importorskip("seqgen_smiles")
    lines = list[str]()
    try:
        plan(name, warn=lines.append)
    except seqgen.CorpusError as error:
        lines.append(str(error))
    found = json.loads(cli("show", "corpus", name, "--json").out)["warnings"]
    assert sorted(found) == sorted(lines) and (found == [] if said is None else said in found[0]), lines


def test_held_out_records_that_are_none_of_the_domain_are_not_said_to_be_trained_on(cli, in_tmp):
    for name, texts in (("a", ["Ada", "Bea", "Cyd"] * 9), ("v", ["Dora", "Emil"]), ("t", ["F7", "Gus"])):
        (in_tmp / f"{name}.txt").write_text("\n".join(texts))
    held = "--valid-file", "v.txt", "--test-file", "t.txt", "--domain", "name"
    result = cli("train", "--corpus", "a.txt", *held, "--cell", "vanilla", "--hidden", 4, "--steps", 1)
    said = "1 of the first 4 held-out records are not valid for the domain name, such as 'F7': "
    assert result.code == 0 and said in result.err and "; losses on them say little\n" in result.err, result.err
    assert "they are trained on" not in result.err


BROKEN = """
import seqgen


@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="bells", summary="x", source="y", endings=(".bell",), tokenizer="chimes"))


@seqgen.hookimpl
def register_tokenizers(register):
    register(seqgen.TokenizerSpec(name="chimes", summary="x", source="y", load="bells_that_are_not_there:Chimes"))
"""


def test_a_file_is_shown_though_a_part_of_its_domain_is_broken(cli, in_tmp):
    (in_tmp / "bells.py").write_text(BROKEN)
    (in_tmp / "a.bell").write_text("anna\nben\n")
    shown = cli("show", "corpus", "a.bell", "--plugin", "bells.py", "--json")
    assert shown.code == 0, shown.err
    (line,) = json.loads(shown.out)["warnings"]
    assert "bells_that_are_not_there" in line and json.loads(shown.out)["records"] == 2


@pytest.mark.parametrize(("part", "name"), [("valid", "v.txt"), ("test", "v.csv")])
def test_a_file_without_held_out_records_is_refused(part, name, cli, in_tmp):
    (in_tmp / "a.txt").write_text("anna\nben\n" * 9)
    (in_tmp / name).write_text("\n" if name == "v.txt" else "text,kind\n")
    result = cli("train", "--corpus", "a.txt", f"--{part}-file", name, "--hidden", 4, "--steps", 1)
    assert result.code == 3 and f"held-out records '{name}' holds none: leave --{part}-file out" in result.err, (
        result.err
    )
    assert not (in_tmp / "runs").exists()


def test_a_label_that_no_record_has_is_not_promised(cli, tiny_run):
    result = cli("sample", tiny_run.path, "--label", "female")
    assert result.code == 2 and "its records have none" in result.err


def test_the_stages_of_a_long_evaluation_are_told(cli, tiny_run):
    told = cli("evaluate", tiny_run.path, "-n", 20, "-v").err.splitlines()
    assert told[:3] == ["reading the corpus ...", "held-out losses ...", "20 samples ..."]
    assert cli("evaluate", tiny_run.path, "-n", 20).err == ""


@pytest.mark.full
def test_a_setting_that_is_no_option_of_its_own_is_led_to(train, words):
    for option in ("--zoneout", "--patience", "--threads"):
        result = train(words, option, "1")
        assert result.code == 2 and result.err.endswith(f"-o {option[2:]}=VALUE\n"), result.err
    assert train(words, "--zone", "1").err.endswith("no such option: --zone; did you mean -o zoneout=VALUE?\n")


def test_values_that_are_not_two_are_counted(train, words, in_tmp):
    returns = "        return torch.tanh(p_BP + self.recurrent(h_BH))\n"
    cell = CELL.replace("oddcell", "threecell").replace(returns, "        return p_BP, h_BH, h_BH\n")
    (in_tmp / "threecell.py").write_text(cell)
    result = train(words, "--cell", "odd", "--plugin", "threecell.py")
    assert result.code == 5 and "step must return (output, state), not 3 values" in result.err


def test_a_name_that_a_broken_plugin_would_have_had_is_not_looked_for_elsewhere(train, words, in_tmp):
    returns = "        return torch.tanh(p_BP + self.recurrent(h_BH))\n"
    working = CELL.replace(
        returns, "        h_BH = torch.tanh(p_BP + self.recurrent(h_BH))\n        return h_BH, h_BH\n"
    )
    (in_tmp / "firstcell.py").write_text(working.replace("oddcell", "firstcell"))
    assert train(words, "--cell", "odd", "--plugin", "firstcell.py", out="runs/first").code == 0
    assert "--plugin firstcell.py" in train(words, "--cell", "odd").err
    (in_tmp / "nextcell.py").write_text(working + "(\n")
    result = train(words, "--cell", "odd", "--plugin", "nextcell.py")
    assert result.code == 5 and result.err.count("\n") == 1 and "SyntaxError" in result.err
    assert "firstcell" not in result.err
    assert train(words, "--plugin", "nextcell.py").code == 5, "whether or not anything of it is used"


def test_a_name_in_other_letters_and_a_plugin_without_its_ending_are_led_to(train, words, in_tmp):
    assert "did you mean 'vanilla'?" in train(words, "--cell", "VANILLA").err
    (in_tmp / "oddcell.py").write_text(CELL)
    assert (
        train(words, "--plugin", "oddcell").err
        == "seqgen: no such plugin file: 'oddcell'; did you mean 'oddcell.py'?\n"
    )


def test_a_step_that_changes_its_state_is_told(train, words, in_tmp):
    step = "        return torch.tanh(p_BP + self.recurrent(h_BH))\n"
    cell = CELL.replace("oddcell", "overcell").replace(
        step, "        h_BH += torch.tanh(p_BP)\n        return h_BH, h_BH\n"
    )
    (in_tmp / "overcell.py").write_text(cell)
    result = train(words, "--plugin", "overcell.py", "--cell", "odd")
    assert (
        result.code == 5 and "changes the state it is given: make a new tensor, h = h + x and not h += x" in result.err
    )


def test_a_step_that_writes_over_what_it_is_given_is_not_traced_and_says_so():
    class Over(seqgen.StepCell):
        def __init__(self):
            super().__init__(3, 3)

        def initial_state(self, batch_size):
            return self.zeros(batch_size)

        def project(self, x_BTI):
            return x_BTI

        def step(self, p_BP, h_BH):
            p_BP.mul_(2)
            return p_BP + h_BH, h_BH

    found = TracedStep()
    assert found.find_runner(Over(), Over().step, torch.ones(2, 4, 3), torch.zeros(4, 3), compiled=False) is None
    assert found.problem.startswith("it changes its input or its state in place; return a new tensor instead (")


@pytest.mark.parametrize("path", ["/", ".", "..", "", "x" * 5000])
def test_a_plugin_that_is_no_file_is_one_line(cli, path):
    result = cli("list", "cells", "--plugin", path)
    assert result.code == 2 and result.err.count("\n") == 1 and "no such plugin file" in result.err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("train --from --corpus a.txt", "--from needs a value before --corpus"),
        ("sample --prefix Anna Maria Eva run", ""),
        ("sample run --prefix Anna Maria", "a text with blanks stands in quotes: --prefix 'Anna Maria'"),
        ("train --corpus a.txt --text-field Pub name", "--text-field 'Pub name'"),
        ("train --corpus my names.txt", "--corpus 'my names.txt'"),
        ("train --corpus my other.txt", "repeat it: --corpus my --corpus other.txt"),
        ("sample run -prefix An", "no such option: -prefix; a long flag begins with two dashes: write --prefix"),
        ("train -corpus=a.txt", "no such option: -corpus; a long flag begins with two dashes: write --corpus"),
        ("sample -y", "no such option: -y; seqgen sample --help"),
        ("sample --run run", "no such option: --run; it needs no flag: seqgen sample RUN"),
        ("sample --prefix The Red", "no run 'Red'"),
        ("sample --prefix The Red", "a text with blanks stands in quotes: --prefix 'The Red'"),
        ("sample run -o some.txt", "to write a file: --out some.txt"),
        ("--out runs train --corpus a.txt", "after the command: seqgen train --out runs --corpus a.txt"),
        ("--metric list evaluate run", "after the command: seqgen evaluate --metric list"),
        ("train --corpus a.txt -o cell.activation = tanh", "write -o cell.activation=tanh"),
        ("train --corpus = a.txt", "write --corpus a.txt"),
        ("train --corpus a.txt --track tensorboard logs", "write --track tensorboard=logs"),
        ("train --corpus a.txt --time 10 s", "--time '10 s'"),
        ("train s", "write --corpus s"),
        ("train --file a.txt", "did you mean --corpus?"),
        ("train --corpus a.txt --no-refit", "leave --refit out"),
        ("train --corpus a.txt --no-blend", "write --blend none"),
        ("train --corpus a.txt --no-plugin", "did you mean --no-plugins?"),
        ("--corpus a.txt train --out train", "after the command: seqgen train --corpus a.txt --out train"),
        ("train -qx", "no such option: -x; seqgen train --help"),
        ("score --run run --top 5 anna", "no such option: --top; seqgen score --help"),
        ("sample run -temperature 0.5", "a long flag begins with two dashes: write --temperature"),
        ("train -out x --corpus a.txt", "a long flag begins with two dashes: write --out"),
        ("train -\u2013corpus a.txt", "begins with another dash than a hyphen: write --corpus"),
        ("bench --corpus a.txt --cells gru lstm", "write --cells gru,lstm"),
        ("train --corpus a.txt --condition sex region", "write --condition sex,region"),
        ("sample run --given sex F", "write --given sex=F"),
        ("train --corpus a.txt --split 80 10 10", "write --split 80/10/10"),
        ("evaluate run --report html=x.html --html y.html", "the report html is to be 'x.html' and 'y.html': give one"),
    ],
)
def test_a_text_without_quotes_and_a_flag_without_its_dash_are_understood(cli, tiny_run, in_tmp, line, says):
    (in_tmp / "my names.txt").write_text("anna\n")
    arguments = [tiny_run.path if word == "run" else word for word in line.split(" ")]
    result = cli(*arguments)
    assert result.code == 2 and says in result.err and len(result.err.splitlines()) == 1, result.err


def test_a_run_that_has_ended_is_trained_on_and_keeps_its_corpus(cli, tiny_run, words):
    taken = cli("train", "--corpus", words, "--out", tiny_run.path)
    assert taken.code == 2 and f"or train on: seqgen train --from {tiny_run.path}" in taken.err
    again = cli("resume", tiny_run.path, "--allow-corpus-change")
    assert again.code == 0 and "has ended, so that its corpus stays what it was" in again.err
    assert "best bits/char" in cli("runs", tiny_run.path.parent).out
