"""Ray beside the workers of this machine: two simulated nodes of one CPU each, a worker killed in every piece of work.

    python benchmarks/ray_nodes.py [--rows 1000000] [--trials 20] [--steps 60] [--quick]

A cluster of two raylets is started on this machine. Then each piece of work is done by the executor ``local`` and by
Ray on the cluster, where one worker is killed by SIGKILL while it computes: a bench of 12 cells, a study of some
trials, names sampled in shards, each by two workers; and training by several processes, which is resumed after the
kill. The results have to be equal: the losses of the bench; the loss of each trial, with that of a run of the same
settings trained in this process; SHA-256 of the rows, and of log and weights. Last, tasks that do nothing are timed,
for what a task and the first one cost. The table is stored in benchmarks/results/ray.md; with --quick everything is
small, and it is printed only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seqgen
from report import table, write_page

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # which is what a task of Ray with one CPU has
_CELLS = "vanilla,indrnn,ugrnn,rhn,gru,mgu,lstm,cifg,mingru,minlstm,sru,cfn"
_SPACE = ("lr=5e-4..2e-2:log", "hidden=16..64:log", "embedding=8..32:log")
_EMPTY_TASKS = 200
_LOST = 9  # the exit code of a run whose worker is lost


@dataclass
class Nodes:
    """A cluster of raylets on this machine.

    Attributes:
        address: of the cluster.
        raylets: the processes of the raylets.
        started_s: seconds that it took to start.
        killed: workers that were killed, by the node they ran on.
    """

    address: str
    raylets: list[int]
    started_s: float
    killed: list[int] = field(default_factory=list)

    @property
    def options(self) -> list[str]:
        """The options of a command that runs its tasks there."""
        return ["--on", "ray", "-o", f"executor.address={self.address}"]

    def tasks(self) -> list[tuple[int, int]]:
        """Return node and process of each task that runs."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int((path / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
                if parent in self.raylets and (path / "cmdline").read_bytes().startswith(b"ray::_call"):
                    found.append((self.raylets.index(parent), int(path.name)))
        return found

    def kill_one(self, process: subprocess.Popen[str], is_under_way: Callable[[], bool]) -> None:
        """Kill a task of a command when it is under way."""
        while not (is_under_way() and (tasks := self.tasks())):
            assert process.poll() is None, "it ended before a worker was killed"
            time.sleep(0.02)
        node, pid = tasks[-1]
        os.kill(pid, signal.SIGKILL)
        self.killed.append(node)


@contextlib.contextmanager
def cluster() -> Iterator[Nodes]:
    """Start two nodes of one CPU, and end them."""
    from ray.cluster_utils import Cluster

    started = time.perf_counter()
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes.list_all_nodes()]
    try:
        yield Nodes(nodes.address, raylets, time.perf_counter() - started)
    finally:
        nodes.shutdown()


@dataclass
class Work:
    """A piece of work, as commands.

    Attributes:
        title: its name in the table.
        command: the arguments of seqgen; "OUT" stands for what it writes.
        result: returns what has to be equal, from the output of the command and what it has written.
        is_under_way: whether a worker can be killed, from what it writes.
        again: the arguments that continue it after a worker was lost.
    """

    title: str
    command: list[str]
    result: Callable[[str, Path], str]
    is_under_way: Callable[[Path], bool]
    again: list[str] = field(default_factory=list)

    def run(self, out: Path, more: list[str], nodes: Nodes | None = None) -> tuple[float, str]:
        """Return the seconds and the result, with one worker of Ray killed if there are nodes."""
        started = time.perf_counter()
        code, output = _run(self.command, out, more, nodes, lambda: self.is_under_way(out))
        if self.again and code == _LOST:
            code, output = _run(self.again, out, more)
        assert code == 0, f"{self.title}: exit code {code}"
        return time.perf_counter() - started, self.result(output, out)


def _run(
    command: list[str], out: Path, more: list[str], nodes: Nodes | None = None, is_under_way: Any = None
) -> tuple[int, str]:
    arguments = [str(out) if one == "OUT" else one for one in command]
    program = [sys.executable, "-m", "seqgen", *arguments, *more, "-q"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    if nodes is not None:
        nodes.kill_one(process, is_under_way)
    output, _ = process.communicate()
    return process.returncode, output


# -- results


def bench_result(output: str, out: Path) -> str:
    """Return the losses of a bench."""
    return repr(sorted((run["cell"], run["seed"], run["bits_per_char"]) for run in json.loads(output)["runs"]))


def study_result(output: str, out: Path) -> str:
    """Return "equal" if the trials of a study have the losses of runs trained here, one by one."""
    from seqgen_tune.dimension import as_keywords

    trials = json.loads(output)["trials"]
    for trial in trials:
        fixed = {"blend": "none", "steps": int(out.name.partition("-")[0]), "options": {"patience": 0}}
        run = seqgen.train("names", out=f"{out}-alone-{trial['number']}", **as_keywords(trial["values"], fixed))
        lines = (run.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        found = min(json.loads(line)["valid_bits_per_char"] for line in lines)
        if trial["bits_per_char"] != found:
            return f"trial {trial['number']}: {trial['bits_per_char']}, alone {found}"
    return f"{len(trials)} equal"


def file_result(output: str, out: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(out.read_bytes()).hexdigest()


def run_result(output: str, out: Path) -> str:
    """Return the SHA-256 of the log and the last weights of a run."""
    weights = max(out.glob("checkpoints/step-*/model.safetensors")).read_bytes()
    return hashlib.sha256((out / "metrics.jsonl").read_bytes() + weights).hexdigest()


def works(given: argparse.Namespace, run: Path) -> list[Work]:
    """Return the pieces of work."""
    settings = ["--corpus", "names", "--steps", str(given.steps)]
    two = ["--workers", "2"]

    def train(workers: str, *more: str) -> Work:
        long = ["--corpus", "names", "--steps", str(5 * given.steps), "--hidden", "32", "--dropout", "0.2"]
        saves = ["--blend", "none", "-o", "save_every_s=0.5", "-o", "patience=0", "--workers", workers]
        return Work(
            f"train by {workers} processes, {5 * given.steps:,} steps",
            ["train", *long, *saves, "--out", "OUT"],
            run_result,
            lambda out: any(out.glob("checkpoints/step-*")),
            ["resume", "OUT", "--workers", workers],
        )

    return [
        Work(
            f"bench of {_CELLS.count(',') + 1} cells, {given.steps} steps",
            ["bench", *settings, "--cells", _CELLS, "--params", "20k", *two, "--json", "--out", "OUT"],
            bench_result,
            lambda out: len(list(out.glob("**/run.json"))) > 2,
        ),
        Work(
            f"tune, {given.trials} trials of {given.steps} steps",
            ["tune", *_SPACE, *settings, "--blend", "none", "-o", "patience=0", "--pruner", "none",
             "--trials", str(given.trials), *two, "--json", "--out", "OUT"],
            study_result,
            lambda out: len(list(out.glob("**/run.json"))) > 2,
        ),
        Work(
            f"{given.rows:,} names in shards",
            ["sample", str(run), "-n", str(given.rows), *two, "--out", "OUT"],
            file_result,
            lambda out: any(out.with_name(f"{out.name}.shards").glob("*")),
        ),
        train("2"),
        train("4"),
    ]  # fmt: skip


def empty_tasks(on: str, options: dict[str, Any]) -> tuple[float, float]:
    """Return the seconds until the first of many empty tasks has ended, and the milliseconds of each other one."""
    started = time.perf_counter()
    tasks = [seqgen.Task("builtins:dict")] * _EMPTY_TASKS
    results = seqgen.run_tasks(tasks, workers=2, on=on, options=options)
    next(results)
    first = time.perf_counter()
    n_others = sum(result.error is None for result in results)
    return first - started, 1e3 * (time.perf_counter() - first) / n_others


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60, help="of each run")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.rows, given.trials, given.steps = 50_000, 4, 20
    os.environ.update(_ONE_THREAD)
    rows, small = [], {"hidden": 16, "steps": 100, "blend": "none"}
    with tempfile.TemporaryDirectory() as name, cluster() as nodes:
        run = seqgen.train("names", out=Path(name) / "run", **small)
        for number, work in enumerate(works(given, run.path)):
            here_s, here = work.run(Path(name) / f"{given.steps}-{number}-here", [])
            spread = ["-o", "executor.cpus=0.5"] if "4 processes" in work.title else []
            ray_s, there = work.run(Path(name) / f"{given.steps}-{number}-ray", [*nodes.options, *spread], nodes)
            rows.append([work.title, f"{here_s:.0f}", f"{ray_s:.0f}", "yes" if here == there else f"NO: {there:.60}"])
            print(rows[-1], flush=True)
        costs = {
            "local": empty_tasks("local", {}),
            "Ray, a cluster that runs": empty_tasks("ray", {"address": nodes.address}),
        }
    costs["Ray of its own"] = empty_tasks("ray", {})
    found = table(["work", "local, s", "Ray with a worker killed, s", "equal results"], rows)
    cost = table(
        ["executor", "first of the empty tasks, s", "each other one, ms"],
        [[name, f"{first_s:.1f}", f"{each_ms:.1f}"] for name, (first_s, each_ms) in costs.items()],
    )
    text = f"""Ray {importlib.metadata.version("ray")}; its two nodes took {nodes.started_s:.1f} s to start. The workers
        killed ran on nodes {", ".join(str(node + 1) for node in nodes.killed)}; the three tasks of the run by 4
        processes, of half a CPU each, take both nodes. Other programs kept the machine busy (load average
        {os.getloadavg()[2]:.0f} on {os.cpu_count()} cores), to which Ray's workers give way (niceness 15): the times
        are upper bounds."""
    if not given.quick:
        caption = "Written by `python benchmarks/ray_nodes.py`, which says how."
        write_page("ray", "Tasks on Ray", caption, 1, found, cost, " ".join(text.split()))
    print(found, cost, text, sep="\n\n")


if __name__ == "__main__":
    main()
