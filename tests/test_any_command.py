"""Whatever is typed: a documented exit code, never a traceback, never "unexpected"."""

from __future__ import annotations

import io
import shutil
import signal
import sys

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from conftest import in_tiers
from seqgen.cli.main import build_commands, main

CODES = {0, 2, 3, 4, 5, 6, 7, 8}
TIMEOUT_S = 60
NUMBERS = ["9" * 23, "9" * 400, *"0 1 2 3 -1 0.5 -0.0 1e-9 1e308 1e400 nan inf ٣ 1_0 0x1".split()]
TEXTS = [
    "", " ", "a", "an", "anna", "x=1", "=", "a=", "text.x=1", "year=1999", "a,b", "a:b", "2-3", "3-2", "-", "--", "/",
    "..", "run", "words.txt", "table.csv", "broken.toml", "mine.py", "folder", "missing", "names", "gru", "vanilla",
    "ngram", "all", "none", "90/5/5", "5s", "12", "é", "日本", "👩‍🔬", "\u202e", "\x1b[31m", "a\nb", "\x7f", "\udcff",
    "[a-z]{2}", "(", "a{3,2}", "a" * 5000, "{}", "[]", "null", "%s", "$HOME", "~", "*.txt", "con", "*", "seqgen:text",
]  # fmt: skip
# What makes a run long is small or impossible.
WORK = set(
    "steps epochs time hidden embedding layers params n count seeds max_length effort batch_size checks width".split()
)


def of_app():
    """The commands by their words, with their parameters."""

    def found(command, words):
        inner = getattr(command, "commands", None)
        if inner:
            for name, one in inner.items():
                yield from found(one, [*words, name])
        if not inner or getattr(command, "invoke_without_command", False):
            yield words, [parameter for parameter in command.params if parameter.name not in ("help", "debug")]

    known = {" ".join(words): (words, parameters) for words, parameters in found(build_commands(), []) if words}
    known.pop("serve", None)  # answers until it is ended
    return known


@pytest.fixture(scope="module")
def commands(request):
    """Those of this program, its own and of the installed plugins."""
    assert main(["list", "cells"]) == 0  # loads the plugins
    return of_app()


@pytest.fixture(scope="module")
def ready(tmp_path_factory, tiny_run):
    folder = tmp_path_factory.mktemp("any") / "ready"
    folder.mkdir()
    (folder / "words.txt").write_text("\n".join(["anna", "berta", "carl", "dora", "emil", "fritz"] * 3) + "\n")
    (folder / "table.csv").write_text(
        "text,year,kind\n" + "".join(f"w{n},{1990 + n % 5},{'ab'[n % 2]}\n" for n in range(30))
    )
    (folder / "broken.toml").write_text("[train\n")
    (folder / "mine.py").write_text("def (\n")
    (folder / "folder").mkdir()
    shutil.copytree(tiny_run.path, folder / "run")
    return folder


def value_of(draw, parameter):
    choices = (parameter.metavar or "").split("|")
    if len(choices) > 1 and draw(st.booleans()):
        return draw(st.sampled_from(choices)).lower()
    if parameter.name in WORK:
        return draw(st.sampled_from(["1", "2", "3", "-1", "0", "nan", "9" * 23 + "x", "x", "", "1s"]))
    if draw(st.integers(0, 4)) == 0:
        return draw(st.text(max_size=8)).replace("\0", "0")
    return draw(st.sampled_from(TEXTS + NUMBERS))


@st.composite
def lines(draw, commands):
    """A command line; whatever is trained is small."""
    words, parameters = commands[draw(st.sampled_from(sorted(commands)))]
    line, options = list(words), [parameter for parameter in parameters if parameter.param_type_name == "option"]
    for parameter in parameters:
        if parameter.param_type_name == "argument" and draw(st.integers(0, 5)):
            line.append(
                draw(st.sampled_from(["run", "run", "words.txt", "gru", "cells"]))
                if draw(st.booleans())
                else value_of(draw, parameter)
            )
    if words == ["train"]:
        line += [
            "--corpus",
            draw(st.sampled_from(["words.txt", "words.txt", "table.csv"])),
            "--steps",
            "2",
            "--hidden",
            "4",
        ]
    if words == ["bench"]:
        line += ["--corpus", "words.txt", "--steps", "1", "--cells", "gru"]
    for parameter in draw(st.lists(st.sampled_from(options), max_size=5)):
        line.append(draw(st.sampled_from(parameter.opts)))
        if not parameter.is_flag:
            line.append(value_of(draw, parameter))
    if draw(st.integers(0, 19)) == 0:
        line.insert(draw(st.integers(0, len(line))), draw(st.sampled_from(TEXTS)))
    return line


def try_line(line, ready, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "here"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ready, folder)
    monkeypatch.chdir(folder)
    # A real stream, as each process has: commands without texts read it.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"anna\nberta\ncarl\n"), encoding="utf-8"))
    sys.modules.pop("mine", None)

    def too_long(*_):
        raise AssertionError(f"longer than {TIMEOUT_S} s: {line}")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TIMEOUT_S)
    try:
        code = main(line)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        sys.modules.pop("mine", None)
    out, err = capsys.readouterr()
    assert code in CODES, (line, code, err[-500:])
    assert "Traceback" not in out + err and "unexpected" not in err, (line, err[-500:])
    if code and code != 8:
        assert err.strip().splitlines()[-1].startswith("seqgen: "), (line, code, err[-500:])
    return code


ANY = settings(suppress_health_check=list(HealthCheck), deadline=None, database=None)


@pytest.mark.full
@settings(ANY, max_examples=150)
@given(data=st.data())
def test_any_command_line(data, commands, ready, tmp_path_factory, capsys):
    """A few of them."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        try_line(data.draw(lines(commands)), ready, tmp_path_factory.getbasetemp(), monkeypatch, capsys)


@pytest.mark.parametrize("shard", in_tiers(range(8), lambda shard: shard < 2, ("slow", "release")))
def test_ten_thousand_command_lines(shard, commands, ready, tmp_path_factory, capsys):
    """Of every command, with every option and values of every kind."""

    @seed(shard)
    @settings(ANY, max_examples=1250, derandomize=False)
    @given(data=st.data())
    def each(data):
        with pytest.MonkeyPatch.context() as monkeypatch:
            try_line(data.draw(lines(commands)), ready, tmp_path_factory.getbasetemp(), monkeypatch, capsys)

    each()
