"""User mistakes, each with the command that makes it and its documented exit code; ``mistakes.py`` runs them all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seqgen.files import dump_checksummed

Make = Callable[[Path], object]
DIGITS = "9" * 400
FASTA = ">seq1 protein\nMKV\nLAA\n>seq2\nGGG\n" * 40
SDF = "x\n  RDKit\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0 0.0 0.0 C   0  0\nM  END\n$$$$\n" * 20
PGN = '[Event "A"]\n[Site "B"]\n[Result "1-0"]\n\n1. e4 e5 2. Nf3 Nc6 1-0\n\n' * 20
CELL = """
from torch import nn

import seqgen


class Bad(seqgen.Cell):
    def __init__(self, input_size, hidden_size):
        {init}
        self.input_size, self.output_size, self.hidden_size = input_size, hidden_size, hidden_size
        self.linear = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def forward(self, x_BTI, state_BH):
        {forward}


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="bad", summary="a broken cell", load="mine:Bad"))
"""
TOKENIZER = """
import seqgen


class Letters(seqgen.Tokenizer):
    n_symbols = 26

    @classmethod
    def fit(cls, texts):
        return cls()

    def encode(self, text):
        return {encode}

    def decode(self, ids):
        return {decode}

    def to_json(self):
        return {to_json}

    @classmethod
    def from_json(cls, data):
        {from_json}


@seqgen.hookimpl
def register_tokenizers(register):
    register(seqgen.TokenizerSpec(name="letters", summary="a broken tokenizer", load=Letters))
"""
DECODING = """
import seqgen


@seqgen.hookimpl
def register_processors(register):
    register(seqgen.ProcessorSpec(name="all", summary="leaves nothing", load=lambda: step))


def step(logits_BV, ids_BT):
    return logits_BV - float("inf")
"""
RENDERER = """
import seqgen


@seqgen.hookimpl
def register_renderers(register):
    register(seqgen.RendererSpec(name="bad", summary="cannot draw", load=lambda: draw))


@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="bad", summary="cannot be drawn", renderer="bad"))


def draw(text):
    raise ValueError("no ink")
"""


@dataclass(frozen=True)
class Mistake:
    """A user mistake.

    Attributes:
        group: the heading it is listed under.
        what: description of the mistake.
        words: command-line arguments after ``seqgen``.
        code: the documented exit code.
        make: sets up its files in a folder that contains words.txt and the run folder ``run``.
        shell: shell syntax added to the command, which then needs its own process.
        slow: True if the answer takes several seconds.
    """

    group: str
    what: str
    words: tuple[str, ...]
    code: int
    make: Make = lambda folder: None
    shell: str = ""
    slow: bool = False


def put(name: str, content: str | bytes) -> Make:
    """Return a setup that writes a file."""
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def reseal(folder: Path) -> None:
    """Update the checksums in the run's manifests, so that changed files are read rather than rejected."""
    run = folder / "run"
    for path in run.rglob("MANIFEST.json"):
        manifest = json.loads(path.read_text())
        for part, beside in (("files", path.parent), ("run", run)):
            for name, known in manifest[part].items():
                data = (beside / name).read_bytes()
                known |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        path.write_bytes(dump_checksummed({name: value for name, value in manifest.items() if name != "sha256"}))


def change(name: str, **values: object) -> Make:
    """Return a setup that changes values in a JSON file of the run and updates the manifests."""

    def make(folder: Path) -> None:
        for path in (folder / "run").rglob(name):
            path.write_text(json.dumps(json.loads(path.read_text()) | values))
        reseal(folder)

    return make


def chain(*makes: Make) -> Make:
    """Return a setup that runs several setups."""
    return lambda folder: [make(folder) for make in makes]


def link(name: str, target: str) -> Make:
    """Return a setup that replaces a file or folder by a symbolic link."""

    def make(folder: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.move(path, folder / target)
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(folder / target)

    return make


def cell(
    init: str = "super().__init__(input_size, hidden_size)", forward: str = "return self.linear(x_BTI), state_BH"
) -> Make:
    """Return a setup that writes a plugin file with a broken cell."""
    return put("mine.py", CELL.format(init=init, forward=forward))


def letters(**methods: str) -> Make:
    """Return a setup that writes a plugin file with a broken tokenizer."""
    working = {
        "encode": "[ord(letter) - 97 for letter in text]", "decode": "''.join(chr(97 + one) for one in ids)",
        "to_json": "{}", "from_json": "return cls()",
    }  # fmt: skip
    return put("mine.py", TOKENIZER.format(**working | methods))


def zipped(*names: str) -> bytes:
    """Return a zip archive of empty files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return file.getvalue()


def swap_checkpoints(folder: Path) -> None:
    """Swap two checkpoints."""
    first, second = sorted((folder / "run" / "checkpoints").glob("step-*"))[:2]
    first.rename(folder / "aside")
    second.rename(first)
    (folder / "aside").rename(second)


def pickle_weights(folder: Path) -> None:
    """Replace a checkpoint's weights by a pickle and update the manifest."""
    step = max((folder / "run" / "checkpoints").glob("step-*"))
    (step / "model.safetensors").write_bytes(pickle.dumps({"weights": [1.0]}))
    reseal(folder)


def replace_log_by_pipe(folder: Path) -> None:
    """Replace the log by a named pipe."""
    log = folder / "run" / "metrics.jsonl"
    log.unlink()
    os.mkfifo(log)


def extend_log(folder: Path) -> None:
    """Extend the log to 4 GB with a hole."""
    with (folder / "run" / "metrics.jsonl").open("r+b") as file:
        file.truncate(4 << 30)


def train(corpus: str, *words: str) -> tuple[str, ...]:
    """Return the arguments of a short training run."""
    return ("train", "--corpus", corpus, "--steps", "2", "--hidden", "8", *words)


def of(group: str, *mistakes: tuple[object, ...]) -> list[Mistake]:
    """Return the mistakes of a group."""
    return [Mistake(group, *mistake) for mistake in mistakes]  # type: ignore[arg-type]


LETTERS = ("--plugin", "mine.py", "--tokenizer", "letters")
SAMPLE = ("sample", "run", "-n", "3")
MINE = ("--plugin", "mine.py", "--cell", "bad")
MISTAKES = [
    *of(
        "Names",
        ("a corpus that does not exist", train("nmaes"), 2),
        ("a file that does not exist", train("./list.txt"), 2),
        ("a cell that does not exist", train("words.txt", "--cell", "gur"), 2),
        ("a cell by another name", train("words.txt", "--cell", "rnn"), 2),
        ("an option that does not exist", train("words.txt", "--layer", "2"), 2),
        ("a setting that does not exist", train("words.txt", "-o", "train.ptience=3"), 2),
        ("a setting as an option", train("words.txt", "--patience", "3"), 2),
        ("a command that does not exist", ("smaple", "run"), 2),
        ("an exporter as a command", ("page", "run"), 2),
        ("another word for a flag", (*SAMPLE, "--start", "an"), 2),
        ("a file where a kind is shown", ("show", "./words.txt"), 2),
        ("a file of a cell as its name", train("words.txt", "--cell", "mine.py"), 2),
        ("a run that does not exist", ("sample", "names-gru-001"), 2),
        ("a folder of runs as a run", ("evaluate", "."), 2),
        ("a symbol never seen", (*SAMPLE, "--prefix", "Ω"), 2),
        ("a label of a run without", (*SAMPLE, "--label", "x"), 2),
        ("a condition of a run without", (*SAMPLE, "--given", "year=1999"), 2),
        (
            "a column that does not exist",
            train("a.csv", "--text-field", "name"),
            2,
            put("a.csv", "word,n\nanna,1\n" * 9),
        ),
    ),
    *of(
        "Numbers",
        ("no steps", ("train", "--corpus", "words.txt", "--steps", "0"), 2),
        ("a rate that is no number", train("words.txt", "--lr", "nan"), 2),
        ("shares without a sum", train("words.txt", "--split", "1e308/1e308/1"), 2),
        ("parameters of 400 digits", train("words.txt", "--params", DIGITS), 2),
        ("fewer parameters than any width has", ("train", "--corpus", "words.txt", "--steps", "2", "--params", "3"), 2),
        ("a length of 23 digits", (*SAMPLE, "--length", "9" * 23), 2),
        ("a length of a million", (*SAMPLE, "--length", "1000000"), 2),
        ("a length that ends before it begins", (*SAMPLE, "--length", "8-5"), 2),
        ("a duration without a unit that exists", ("train", "--corpus", "words.txt", "--time", "5 parsecs"), 2),
        ("a temperature below zero", (*SAMPLE, "--temperature", "-1"), 2),
        ("a device that does not exist", train("words.txt", "--device", "tpu"), 2),
    ),
    *of(
        "Configurations",
        ("no such file", train("words.txt", "--config", "c.toml"), 2),
        ("not TOML", train("words.txt", "--config", "c.toml"), 2, put("c.toml", "[train\nx = 1")),
        (
            "a key that does not exist",
            train("words.txt", "--config", "c.toml"),
            2,
            put("c.toml", "[train]\nstpes = 1\n"),
        ),
        ("nested 5,000 deep", train("words.txt", "--config", "c.toml"), 2, put("c.toml", "x = " + "[" * 5000)),
        ("a device without end", train("words.txt", "--config", "/dev/zero"), 2),
    ),
    *of(
        "Kinds of files",
        ("FASTA with a digit", train("a.fasta"), 3, put("a.fasta", FASTA + ">x\nAC1T\n")),
        ("SDF cut short", train("a.sdf"), 3, put("a.sdf", SDF[:60])),
        ("PGN with a word", train("a.pgn"), 3, put("a.pgn", PGN + "1. e4 hello\n")),
        ("ABC without a tune", train("a.abc"), 3, put("a.abc", "X:1\nT:none\n" + "words\n" * 3)),
        (
            "a workbook without parts",
            train("a.xlsx"),
            3,
            put("a.xlsx", zipped("[Content_Types].xml", "xl/workbook.xml")),
        ),
        ("Parquet cut short", train("a.parquet"), 3, put("a.parquet", b"PAR1\x15\x04\x15" + bytes(40) + b"PAR1")),
        ("an archive cut short", train("a.zip"), 3, put("a.zip", zipped("a.txt")[:-9])),
        ("MIDI cut short", train("a.mid"), 3, put("a.mid", b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\xff")),
        ("a JSON array cut short", train("a.json"), 3, put("a.json", json.dumps(["anna", "ben"] * 4000)[:-1])),
        ("another encoding", train("a.txt"), 3, put("a.txt", "Zoë\nJosé\n".encode("latin-1") * 9)),
        ("nothing in it", train("a.txt"), 3, put("a.txt", "")),
        ("a line of 40 MB", train("a.txt"), 3, put("a.txt", b"x" * 40_000_000)),
        ("1 GB of line ends, packed", train("a.gz"), 3, put("a.gz", gzip.compress(b"\n" * 10**8) * 10), "", True),
        ("180,000 symbols", train("a.txt"), 3, put("a.txt", "\n".join(map(chr, range(0x10000, 0x10000 + 180_000))))),
        ("an empty folder", train("texts"), 2, lambda folder: (folder / "texts").mkdir()),
        ("a pattern that matches nothing", train("*.tsv"), 2),
        ("SMILES as SELFIES", train("a.txt", "--domain", "selfies"), 3, put("a.txt", "CCO\nCC(=O)N\nc1ccccc1\n" * 9)),
        (
            "a measured number as a condition",
            train("a.csv", "--text-field", "s", "--condition", "logP"),
            2,
            put("a.csv", "s,logP\n" + "".join(f"w{n},{n / 7:.3f}\n" for n in range(300))),
        ),
    ),
    *of(
        "Constraints",
        ("states beyond any limit", (*SAMPLE, "--regex", "[a-z]*[aeiou].{30}"), 2, put("x", ""), "", True),
        ("a repetition of 100,000", (*SAMPLE, "--regex", "a{1,100000}"), 2),
        ("a choice 18 symbols from the end", (*SAMPLE, "--regex", ".*(a|b).{18}$"), 2, put("x", ""), "", True),
        ("a repetition of 11 digits", (*SAMPLE, "--regex", "a{99999999999}"), 2),
        ("5,000 brackets", (*SAMPLE, "--regex", "(" * 5000), 2),
        ("a bracket that is not closed", (*SAMPLE, "--regex", "(ab"), 2),
        ("120,000 characters to contain", (*SAMPLE, "--contains", "an" * 60_000), 2),
        ("a file of words that is not there", (*SAMPLE, "--avoid-file", "bad.txt"), 2),
        ("what no row can satisfy", (*SAMPLE, "--contains", "anna", "--avoid", "a"), 2),
        ("all symbols avoided", (*SAMPLE, "--regex", "[^a-z]+"), 2),
    ),
    *of(
        "Run folders",
        ("the root as the run folder", train("words.txt", "--out", "/"), 2),
        ("the current folder as the run folder", train("words.txt", "--out", "."), 2),
        ("a run folder that is there", train("words.txt", "--out", "run"), 2),
        (
            "corpus.json a link that leads outside",
            ("resume", "run", "--allow-corpus-change"),
            4,
            chain(link("run/corpus.json", "outside.json"), put("words.txt", "otto\n" * 30)),
        ),
        ("checkpoints a link", ("resume", "run"), 4, link("run/checkpoints", "elsewhere")),
        (
            "bench --out with results.json a link",
            ("bench", "--corpus", "words.txt", "--cells", "gru", "--steps", "1", "--out", "b"),
            4,
            link("b/results.json", "outside.json"),
        ),
        ("swapped checkpoints", ("checkpoint", "verify", "run"), 4, swap_checkpoints),
        (
            "a checkpoint of no possible step",
            ("checkpoint", "verify", "run"),
            4,
            lambda folder: (folder / "run" / "checkpoints" / "step-999999999999").mkdir(),
        ),
        ("weights that are a pickle", ("checkpoint", "verify", "run"), 4, pickle_weights),
        ("metrics.jsonl a pipe", ("show", "run", "run"), 0, replace_log_by_pipe),
        ("metrics.jsonl of 4 GB", ("show", "run", "run"), 0, extend_log),
        ("metrics.jsonl a pipe, resumed", ("resume", "run"), 4, replace_log_by_pipe),
        ("a length of 2**31 in run.json", SAMPLE, 0, change("run.json", max_length=2**31)),
        ("NaN in state.json", ("resume", "run"), 4, change("state.json", elapsed_s=float("nan"))),
        (
            "a plugin nobody has",
            SAMPLE,
            4,
            change(
                "run.json",
                cell={"name": "evil:cell", "options": {}},
                plugins=[
                    {"package": "evil", "distribution": "evil-package", "version": "1", "sha256": None, "api": "1.3"}
                ],
            ),
        ),
    ),
    *of(
        "Streams",
        ("stderr on a full disk", train("words.txt", "--out", "new", "-q"), 0, put("x", ""), "2>/dev/full"),
        ("stderr closed", train("words.txt", "--out", "new", "-q"), 0, put("x", ""), "2>&-"),
        ("stdout closed", SAMPLE, 7, put("x", ""), ">&-"),
        ("stdout on a full disk", SAMPLE, 7, put("x", ""), ">/dev/full"),
        ("an address space of 500 MB", SAMPLE, 2, put("x", ""), "ulimit -v 500000;"),
        ("a file of samples that is there", (*SAMPLE, "--out", "words.txt"), 2),
        ("samples into a folder that is not there", (*SAMPLE, "--out", "no/such/rows.csv"), 7),
        ("the root as a page", ("evaluate", "run", "-n", "9", "--html", "/"), 7),
    ),
    *of(
        "Plugins",
        ("a file that is not there", (*train("words.txt"), "--plugin", "mine.py"), 2),
        ("the root as a plugin", (*train("words.txt"), "--plugin", "/"), 2),
        ("a file that is not Python", (*train("words.txt"), "--plugin", "mine.py"), 5, put("mine.py", "def (\n")),
        (
            "an import that fails",
            (*train("words.txt"), "--plugin", "mine.py"),
            5,
            put("mine.py", "import nothing_such\n"),
        ),
        (
            "it leaves the program",
            (*train("words.txt"), "--plugin", "mine.py"),
            5,
            put("mine.py", "raise SystemExit(0)\n"),
        ),
        ("a cell without super().__init__()", train("words.txt", *MINE), 5, cell(init="pass")),
        ("a cell that gives nothing", train("words.txt", *MINE), 5, cell(forward="return None")),
        ("a cell that leaves the program", train("words.txt", *MINE), 5, cell(forward="raise SystemExit(0)")),
        (
            "a cell that mixes rows",
            train("words.txt", *MINE),
            5,
            cell(forward="return self.linear(x_BTI) + self.linear(x_BTI).mean(0, keepdim=True), state_BH"),
        ),
        (
            "a cell that looks ahead",
            train("words.txt", *MINE),
            5,
            cell(forward="return self.linear(x_BTI).flip(1), state_BH"),
        ),
        (
            "a cell that gives no numbers",
            train("words.txt", *MINE),
            5,
            cell(forward="return self.linear(x_BTI) * float('nan'), state_BH"),
        ),
        ("a tokenizer that decodes to nothing", train("words.txt", *LETTERS), 5, letters(decode="None")),
        ("a tokenizer that encodes to nothing", train("words.txt", *LETTERS), 5, letters(encode="[]")),
        ("a tokenizer that decodes to another text", train("words.txt", *LETTERS), 0, letters(decode="'x' * len(ids)")),
        ("a tokenizer that cannot be stored", train("words.txt", *LETTERS), 5, letters(to_json="{1, 2}")),
        (
            "a tokenizer that cannot be read again",
            train("words.txt", *LETTERS),
            5,
            letters(from_json="raise KeyError(1)"),
        ),
        (
            "a decoding step that leaves nothing",
            (*SAMPLE, "--plugin", "mine.py", "--processor", "all"),
            6,
            put("mine.py", DECODING),
        ),
        (
            "a renderer that fails",
            train("words.txt", "--plugin", "mine.py", "--domain", "bad"),
            0,
            put("mine.py", RENDERER),
        ),
        ("the check of a package that is not there", ("plugins", "check", "nothing_such"), 2),
    ),
]
