"""Structure of the core in numbers: what a run enters, how deep it calls, how large and how tangled the code is.

    python benchmarks/structure.py [--root DIR --python EXE] [--rounds N] [--details]

Prints a Markdown table of this checkout; with --root, of another one as well, in a column before it. EXE is the Python
of an environment in which that checkout is installed. The numbers of a run are measured on a real ``seqgen train`` of
three steps with a profile function, by what is called, so that checkouts with other module names compare.
"""

from __future__ import annotations

import argparse
import ast
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, TypeGuard

ROOT = Path(__file__).resolve().parent.parent
CORPUS = "data/corpus-of-structure.txt"  # apart from the run, whose folder is listed while files are written
UPDATES = ("_fused_adamw_", "_foreach_addcdiv_", "_foreach_addcdiv")  # C functions of torch that change the weights
FUNCTION = 0x1 | 0x2  # CO_OPTIMIZED | CO_NEWLOCALS: module and class bodies lack the first
NOT_COUNTED = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")  # frames of their own up to Python 3.11 only


# -- the probe, which runs in the environment of the checkout that it measures


@dataclass
class Probe:
    """A profile function that watches one training run.

    Attributes:
        core: the folder of the package.
        values: forms of the corpus argument to look for among local variables.
        entered: functions of the core entered so far, in order.
        crossed: files of the core in which a local variable is the corpus argument.
        reached: files of the core in which a local variable is it, or an object, dictionary or sequence with it.
        results: for each object with id arrays that a function returned, how many functions were entered by then.
        found: the numbers.
    """

    core: str
    values: tuple[object, ...]
    entered: dict[CodeType, None] = field(default_factory=dict)
    crossed: dict[str, None] = field(default_factory=dict)
    reached: dict[str, None] = field(default_factory=dict)
    results: dict[int, tuple[object, int]] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        """Handle a call, a return, or the call of a C function."""
        code = frame.f_code
        if event == "c_call":
            if "frames" not in self.found and getattr(arg, "__name__", "") in UPDATES and self._is_ours(code):
                self._at_update(frame)
        elif not self._is_ours(code):
            return
        elif event == "call":
            if "frames" not in self.found and code.co_flags & FUNCTION == FUNCTION:
                self.entered.setdefault(code)
        elif event == "return":
            values = list(frame.f_locals.values())
            if any(map(self._is_corpus, values)):
                self.crossed.setdefault(code.co_filename)
            if any(map(self._is_corpus, itertools.chain(values, *map(_parts, values)))):
                self.reached.setdefault(code.co_filename)
            if "frames" not in self.found and _is_batch(arg):
                self.results.setdefault(id(arg), (arg, len(self.entered)))

    def _is_ours(self, code: CodeType) -> bool:
        return code.co_filename.startswith(self.core) and code.co_name not in NOT_COUNTED

    def _is_corpus(self, value: object) -> bool:
        return isinstance(value, str | Path) and value in self.values

    def _at_update(self, frame: FrameType) -> None:
        """Record the stack and what was entered when the weights change for the first time."""
        stack = [each for each in _outwards(frame) if self._is_ours(each.f_code)]
        optimizer = frame.f_code.co_filename  # its inner functions do not lie on the way to the step
        while len(stack) > 1 and stack[1].f_code.co_filename == optimizer:
            stack.pop(0)
        inside = [each for each in stack if each.f_code.co_flags & FUNCTION == FUNCTION]
        called = [each.f_code for each in inside if each.f_back and not self._is_ours(each.f_back.f_code)]
        codes = list(self.entered)
        start = codes.index(called[-2])  # the last one is the program's entry, this one the command's function
        held = [id(value) for each in stack for value in each.f_locals.values()]
        trained = min(self.results[key][1] for key in held if key in self.results)
        any_batch = min(number for _, number in self.results.values())
        self.found["any_batch"] = self._names(codes[start:any_batch])
        self.found["batch"] = self._names(codes[start:trained])
        self.found["step"] = self._names(codes[start:])
        self.found["process"] = self._names(codes[:trained])
        self.found["frames"] = self._names([each.f_code for each in reversed(inside[1:])])

    def _names(self, codes: Iterable[CodeType]) -> list[str]:
        return [f"{code.co_filename[len(self.core) :]}:{code.co_qualname}" for code in codes]


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _parts(value: object) -> Iterable[object]:
    """Return the values directly inside an object, a dictionary or a short sequence."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple):
        return itertools.islice(value, 100)
    return list(getattr(value, "__dict__", {}).values()) if not isinstance(value, type | ModuleType) else ()


def _is_batch(value: object) -> bool:
    """Report whether an object holds inputs and targets: at least two integer tensors of two dimensions."""
    if isinstance(value, type) or (torch := sys.modules.get("torch")) is None:
        return False
    parts = value if isinstance(value, tuple) else getattr(value, "__dict__", {}).values()
    kinds = (getattr(torch, "Tensor", None), getattr(torch, "int64", None))
    ids = [part for part in parts if type(part) is kinds[0] and part.ndim == 2 and part.dtype == kinds[1]]
    return len(ids) >= 2


def probe(root: Path) -> None:
    """Train three steps in the current folder under a profile function, and write numbers.json."""
    import seqgen
    from seqgen.__main__ import main

    core = Path(seqgen.__file__).resolve().parent
    assert core == root / "seqgen", f"this environment has {core}"
    corpus = Path(CORPUS)
    corpus.parent.mkdir()
    letters = "abcdefghij"
    corpus.write_text("".join(f"{a}{b}{c}na\n" for a in letters for b in letters for c in letters[:3]))
    watch = Probe(f"{core}{os.sep}", (CORPUS, str(corpus.resolve()), corpus, corpus.resolve()))
    sys.argv = ["seqgen", "train", "--corpus", CORPUS, "--cell", "gru", "--hidden", "8", "--steps", "3", "--out", "run"]
    sys.setprofile(watch)
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, f"seqgen train ended with {ended.code}"
    finally:
        sys.setprofile(None)
    files = {"crossed": watch.crossed, "reached": watch.reached}
    held = {key: sorted(name[len(watch.core) :] for name in names) for key, names in files.items()}
    Path("numbers.json").write_text(json.dumps({**watch.found, **held}))


# -- numbers of a run and of commands


def run_numbers(root: Path, python: str) -> dict[str, Any]:
    """Return what ``probe`` finds in a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(root), "HOME": folder, "XDG_CACHE_HOME": folder}
        command = [python, str(Path(__file__).resolve()), "--probe", str(root)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads((Path(folder) / "numbers.json").read_text())
        return found


def best_s(command: list[str], root: Path, rounds: int) -> float:
    """Return the shortest wall time of a whole process, in seconds."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            started = time.perf_counter()
            environment = {**os.environ, "PYTHONPATH": str(root)}
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
            times.append(time.perf_counter() - started)
    return min(times)


# -- numbers of the source


def sources(folder: Path) -> list[Path]:
    """Return the modules of the core, templates left out."""
    return [path for path in sorted(folder.rglob("*.py")) if "templates" not in path.relative_to(folder).parts]


def is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Report whether a statement is a string that nothing uses."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def lines_of_code(text: str) -> int:
    """Count lines that hold code: no docstrings, comments or blanks."""
    documented: set[int] = set()
    for node in filter(is_docstring, ast.walk(ast.parse(text))):
        documented |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    code: set[int] = set()
    blank = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in blank:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - documented)


def imports(path: Path, name: str, modules: set[str]) -> set[str]:
    """Return the modules among ``modules`` that a file imports at any depth, for types only included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & modules
            if not inner <= modules:  # a name, not a module
                found.add(node.module or "")
    return found & modules - {name}


def components(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components with more than one node (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for successor in sorted(graph[node]):
            if successor not in number:
                visit(successor)
                low[node] = min(low[node], low[successor])
            elif successor in stack:
                low[node] = min(low[node], number[successor])
        if low[node] == number[node]:
            start = stack.index(node)
            if len(members := stack[start:]) > 1:
                found.append(sorted(members))
            del stack[start:]

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return found


def circles(core: Path) -> list[list[str]]:
    """Return import circles inside each package of the core."""
    found: list[list[str]] = []
    for package in sorted({path.parent for path in core.glob("*/__init__.py")}):
        names = {}
        for path in sources(package):
            parts = path.relative_to(core.parent).with_suffix("").parts
            names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        found += components({name: imports(path, name, set(names)) for name, path in names.items()})
    return found


# -- the table


@dataclass
class Row:
    """A line of the table: a label, the goal, the number, and what was counted."""

    label: str
    goal: str
    value: str
    details: list[str] = field(default_factory=list)


def get_source_files(names: Iterable[str]) -> list[str]:
    """Return the distinct files of names such as ``api/run.py:Run.sample``, in order."""
    return list(dict.fromkeys(name.split(":")[0] for name in names))


def measure(root: Path, python: str, rounds: int) -> list[Row]:
    """Return all numbers of a checkout."""
    core = root / "seqgen"
    run, loops = run_numbers(root, python), circles(core)
    api = [path.relative_to(core).as_posix() for path in sources(core / "api") if path.name != "__init__.py"]
    texts = [path.read_text(encoding="utf-8") for path in sources(core)]
    rows = []
    for key, what, goal in (
        ("any_batch", "from the command's function to the first batch, of preflight or training", "<= 35"),
        ("batch", "from the command's function to the first batch of training", ""),
        ("step", "from the command's function to the first optimizer step", ""),
        ("process", "from the start of the process to the first batch of training", ""),
    ):
        files = get_source_files(run[key])
        rows.append(Row(f"core files entered {what}", goal, str(len(files)), files))
        rows.append(Row(f"core functions entered {what}", "", str(len(run[key])), run[key]))
    members = ["; ".join(loop) for loop in loops]
    commands = (["-c", "import seqgen"], ["-m", "seqgen", "--help"])
    seconds = [best_s([python, *arguments], root, rounds) for arguments in commands]
    return [
        *rows,
        Row(
            "core files in which a local variable is the `--corpus` value",
            "<= 8",
            str(len(run["crossed"])),
            run["crossed"],
        ),
        Row("core files in which one is it or directly contains it", "", str(len(run["reached"])), run["reached"]),
        Row(
            "frames of the core between the start and the optimizer's own step",
            "<= 8",
            str(len(run["frames"])),
            run["frames"],
        ),
        Row("modules in `seqgen/api` (without `__init__`)", "<= 20", str(len(api)), api),
        Row("import circles inside packages, imports for types included", "0", str(len(loops)), members),
        Row("modules in these circles", "0", str(sum(map(len, loops)))),
        Row("modules of the core", "", str(len(texts))),
        Row("lines of code in the core", "<= 13,500", f"{sum(map(lines_of_code, texts)):,}"),
        Row(f"`import seqgen`, best of {rounds}, seconds", "", f"{seconds[0]:.3f}"),
        Row(f"`seqgen --help`, best of {rounds}, seconds", "< 0.4", f"{seconds[1]:.3f}"),
    ]


def table(columns: dict[str, list[Row]]) -> list[str]:
    """Return a Markdown table with a column for each checkout."""
    lines = [f"| number | {' | '.join(columns)} | goal |", f"|---|{'---:|' * (len(columns) + 1)}"]
    for rows in zip(*columns.values(), strict=True):
        lines.append(f"| {rows[0].label} | {' | '.join(row.value for row in rows)} | {rows[0].goal} |")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="another checkout to measure beside this one")
    parser.add_argument("--python", default=sys.executable, help="the Python that runs the other checkout")
    parser.add_argument("--rounds", type=int, default=7, help="how often to time a command (default 7)")
    parser.add_argument("--details", action="store_true", help="list what was counted below the table")
    parser.add_argument("--probe", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.probe:
        probe(arguments.probe)
        return
    columns = {}
    if arguments.root:
        columns["before"] = measure(arguments.root.resolve(), arguments.python, arguments.rounds)
    columns["now"] = measure(ROOT, sys.executable, arguments.rounds)
    print("\n".join(table(columns)))
    for name, rows in columns.items() if arguments.details else ():
        for row in rows:
            if row.details:
                print(f"\n{name}, {row.label}:\n\n" + "\n".join(f"- {line}" for line in row.details))


if __name__ == "__main__":
    main()
