"""Names, results and JSON contain only rich's own escape sequences on a terminal; a pipe gets exact bytes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from conftest import WORDS, in_terminal, one_in
from seqgen.render import visible_json

NAME = "run\x1b]0;owned\x07\u202e\u2028\x7f\x9b31m"
TEXTS = ["a\x7fb", "a\u202eb\u2028c", "\x9b31mred", "\U000e0041tag", "plain", "\x1b[31mred"]


def steering(shown: str) -> set[str]:
    """The characters that are left of rich's own output, and are no line ends."""
    left = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    return {c for c in left if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - set("\r\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steering")
    (folder / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in TEXTS * 6))
    (folder / "words.txt").write_text("\n".join(WORDS) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return seqgen.train(
        folder / "texts.jsonl", cell="vanilla", hidden=8, steps=3, split="none", out=folder / NAME
    )  # fmt: skip


@pytest.mark.full
@pytest.mark.promise("R18")
@pytest.mark.parametrize(
    "arguments",
    one_in(13, [
        ("sample", "{run}", "-n", 30, "-t", 2, "-0"),
        ("sample", "{run}", "-n", 30, "-t", 2, "--json"),
        ("sample", "{run}", "-n", 30, "-t", 2),
        ("score", "\u202eb", "--run", "{run}", "--json"),
        ("score", "\u202eb", "--run", "{run}"),
        ("top", "{run}", "--json"),
        ("show", "run", "{run}", "--json"),
        ("show", "run", "{run}"),
        ("checkpoint", "verify", "{run}"),
        ("resume", "{run}"),
        ("train", "--corpus", "{folder}/words.txt", "--hidden", 8, "--steps", 2, "--out", "{folder}/out\x1b[2J\u202e"),
        ("train", "--corpus", "{folder}/words.txt", "--steps", 2, "--out", "{folder}/q\x1b[2J\u202e", "-q"),
        ("bench", "--corpus", "{folder}/words.txt", "--cells", "vanilla", "--hidden", 8, "--steps", 2, "--seeds", 1,
         "--out", "{folder}/bench\x1b[2J\u202e"),
    ]),
    ids=lambda arguments: " ".join(map(str, (*arguments[:2], arguments[-1])))[:40].encode("unicode_escape").decode(),
)  # fmt: skip
def test_no_name_and_no_result_steers_a_terminal(arguments, folder, run):
    """Folders whose names hold ESC, BEL, RLO, U+2028, DEL and C1 characters; samples and JSON that hold them."""
    asked = [str(argument).format(run=run.path, folder=folder) for argument in arguments]
    shown = in_terminal(*asked, columns=300, messages=True)
    assert shown.strip() and not steering(shown), ascii(shown)


@pytest.mark.full
@pytest.mark.promise("R18")
def test_json_is_the_same_value_on_a_terminal_and_exact_bytes_in_a_pipe(run):
    asked = ("sample", run.path, "-n", 30, "-t", 2, "--json")
    texts = [row.text for row in run.sample(30, temperature=2.0)]
    assert any(set("\x7f\x9b\u202e\u2028\U000e0041") & set(text) for text in texts), "there is something to test"
    piped = subprocess.run(
        [sys.executable, "-m", "seqgen", *map(str, asked)], stdout=subprocess.PIPE, check=True, timeout=120
    ).stdout.decode()
    assert [json.loads(line)["text"] for line in piped.split("\n")[:-1]] == texts
    assert any(character in piped for character in "\x7f\x9b\u202e\u2028\U000e0041")
    shown = in_terminal(*asked, columns=300)
    assert [json.loads(line)["text"] for line in shown.split("\r\n")[:-1]] == texts


@given(
    st.recursive(st.text(st.characters(exclude_categories=())), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_escaped_json_is_the_same_value(value):
    for indent in (None, 2):
        text = visible_json(json.dumps(value, ensure_ascii=False, indent=indent))
        assert json.loads(text) == value and not steering(text) - set("\u200c\u200d")


# -- a renderer that fails

RENDERER = """
import rich.text, seqgen

class Late:
    def __rich_console__(self, console, options):
        raise ValueError("too late")
        yield

def load_raising():
    def render(text):
        raise ValueError("cannot draw")
    return render

@seqgen.hookimpl
def register_renderers(register):
    register(seqgen.RendererSpec(name="raising", summary="s", load=load_raising))
    register(seqgen.RendererSpec(name="late", summary="s", load=lambda: lambda text: Late()))
    register(seqgen.RendererSpec(name="wrong", summary="s", load=lambda: lambda text: 7))
    register(seqgen.RendererSpec(name="unloadable", summary="s", load=lambda: 1 / 0))

@seqgen.hookimpl
def register_domains(register):
    for name in ("raising", "late", "wrong", "unloadable"):
        register(seqgen.DomainSpec(name="d-" + name, summary="s", tokenizer="char", renderer=name))
"""


@pytest.mark.full
@pytest.mark.promise("R21")
@pytest.mark.parametrize("kind", one_in(4, ["raising", "late", "wrong", "unloadable"]))
def test_a_renderer_that_fails_leaves_plain_text_and_one_line(kind, cli, in_tmp):
    """The finished run ends with 0 and its report; rows are shown as texts."""
    plugin = f"drawing_{kind}.py"  # a name of its own: what is imported stays
    (in_tmp / plugin).write_text(RENDERER)
    (in_tmp / "words.txt").write_text("\n".join(WORDS) + "\n")
    common = ("--hidden", 8, "--steps", 2, "--domain", f"d-{kind}", "--plugin", plugin)
    result = cli("train", "--corpus", "words.txt", *common, "--out", "run")
    warned = [line for line in result.err.splitlines() if line.startswith("seqgen: ")]
    assert result.code == 0, result.err
    assert len(warned) == 1 and warned[0].startswith("seqgen: cannot render the samples: ")
    assert "drawing" in warned[0] and warned[0].endswith("; they are shown as plain text")
    assert "held out" in result.err and "Next:" in result.err
    run = seqgen.load("run", plugins=[Path(plugin)])
    assert all(row.text in result.err for row in run.sample(10))
    shown = in_terminal("sample", "run", "-n", 3, "--plugin", plugin, messages=True)
    assert all(row.text in shown for row in run.sample(3)) and "as plain text" in shown
