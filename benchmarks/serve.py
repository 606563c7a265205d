"""A server on one core beside one thread of sampling, with clients on another core that ask for 200 rows at a time.

    python benchmarks/serve.py [--rounds 5] [--seconds 20] [--params 1m] [--quick]

In each round the rows of ``Run.sample`` are timed, and then the server with 1, 4 and 16 clients, in an order that
changes from round to round; "x" is the median of the ratios of the rows per second, JSON and HTTP included. Both
compute on core 0 with one thread, one at a time; the clients are on core 1. No two clients use the same seed, since
equal rows would be computed once. Every text is compared with that of ``Run.sample``. Rows per second of the CPU's time
of the process that computes, of a server too, depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import operator
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import seqgen
from report import number, table, verdict, write_page

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_CLIENTS = (1, 4, 16)
_ROWS = 200  # of a request
_SEEDS = 4  # of each client, which it uses in turn
_GOAL = 0.7  # of one thread of sampling
_SAMPLER = """
import sys, time, seqgen
run = seqgen.load(sys.argv[1])
run.sample(2000)
print("ready", flush=True)
for line in sys.stdin:
    calls, n = map(int, line.split())
    started, cpu_s = time.perf_counter(), time.process_time()
    for seed in range(calls):
        run.sample(n, seed=seed)
    rows = calls * n
    print(rows / (time.perf_counter() - started), rows / (time.process_time() - cpu_s), flush=True)
"""


def on_core(core: int) -> None:
    """Let this process use one core only, where the system can say so."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


def started(command: list[str], **options: Any) -> subprocess.Popen[str]:
    """Start a process with one thread on core 0."""
    environment = {**os.environ, **_ONE_THREAD}
    return subprocess.Popen(
        [sys.executable, *command], env=environment, text=True, preexec_fn=lambda: on_core(0), **options
    )


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, on Linux; NaN elsewhere."""
    path = Path(f"/proc/{pid}/stat")
    if not path.exists():
        return float("nan")
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Rate(NamedTuple):
    """Rows per second, and per second of the CPU's time of the process that computes them."""

    rows_per_s: float
    rows_per_cpu_s: float


def load(port: int, pid: int, n_clients: int, seconds: float, wanted: dict[int, list[str]]) -> tuple[Rate, list[float]]:
    """Return the rate of clients that ask for rows, one request after another, and the seconds of each request."""
    latencies_s, wrong = list[float](), list[int]()
    until = time.perf_counter() + seconds

    def ask(client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        for seed in itertools.cycle(range(_SEEDS * client, _SEEDS * (client + 1))):
            if time.perf_counter() > until:
                break
            body = json.dumps({"n": _ROWS, "seed": seed})
            began = time.perf_counter()
            connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
            elapsed_s = time.perf_counter() - began
            if [choice["text"] for choice in answer["choices"]] != wanted[seed]:
                wrong.append(seed)
            latencies_s.append(elapsed_s)
        connection.close()

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(n_clients)]
    began, cpu_s = time.perf_counter(), cpu_seconds(pid)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    n_rows = _ROWS * len(latencies_s)
    rate = Rate(n_rows / (time.perf_counter() - began), n_rows / (cpu_seconds(pid) - cpu_s))
    if wrong:
        raise SystemExit(f"the rows of the seeds {wrong[:5]} differ from those of Run.sample")
    return rate, latencies_s


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, int]]:
    """Serve a run within the context; yields the port and the number of the process."""
    process = started(["-m", "seqgen", "serve", str(folder), "--port", "0"], stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        yield int(line.partition("127.0.0.1:")[2].partition(" ")[0]), process.pid
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def sampler(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process within the context that samples rows for each line that it reads."""
    process = started(["-c", _SAMPLER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdout.readline()
    yield process
    process.communicate()


def sampling_rate(process: subprocess.Popen[str], calls: int, n: int) -> Rate:
    """Return the rate of one thread that samples ``n`` rows a call."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{calls} {n}\n")
    process.stdin.flush()
    return Rate(*map(float, process.stdout.readline().split()))


def columns(rates: Sequence[Rate], alone: Sequence[Rate]) -> list[str]:
    """Return the median of each of both rates with the median, the smallest and the largest of the ratios."""
    found = []
    for mine, other in zip(zip(*rates, strict=True), zip(*alone, strict=True), strict=True):
        ratios = list(map(operator.truediv, mine, other))
        spread = f"{number(statistics.median(ratios))} ({number(min(ratios))} to {number(max(ratios))})"
        found += [number(statistics.median(mine)), spread]
    return found


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--params", default="1m")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; the table is printed and not stored")
    arguments = parser.parse_args()
    before = os.getloadavg()[0]
    rounds, seconds = (1, 2.0) if arguments.quick else (arguments.rounds, arguments.seconds)
    params, steps, n = ("20k", 50, 2000) if arguments.quick else (arguments.params, 300, 20_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        options = {"threads": 1, "samples": 0}
        run = seqgen.train("names", cell="gru", params=params, steps=steps, blend="none", options=options, out=folder)
        wanted = {seed: [row.text for row in run.sample(_ROWS, seed=seed)] for seed in range(_SEEDS * max(_CLIENTS))}
        n_parameters = sum(parameter.numel() for parameter in run.model.parameters())
        on_core(1)
        alone, small = list[Rate](), list[Rate]()
        loads: dict[int, list[tuple[Rate, list[float]]]] = {n_clients: [] for n_clients in _CLIENTS}
        with sampler(folder) as process, server(folder) as (port, pid):
            load(port, pid, 1, 1.0, wanted)
            for at in range(rounds):
                alone.append(sampling_rate(process, 1, n))
                small.append(sampling_rate(process, n // _ROWS // 4, _ROWS))
                for n_clients in _CLIENTS if at % 2 else reversed(_CLIENTS):
                    loads[n_clients].append(load(port, pid, n_clients, seconds, wanted))
    rows = [[f"`Run.sample`, {n:,} rows", *columns(alone, alone), "", "", "", ""]]
    rows.append([f"`Run.sample`, {_ROWS} rows a call", *columns(small, alone), "", "", "", ""])
    for n_clients, found in loads.items():
        rates = [rate for rate, _ in found]
        latencies_s = sorted(itertools.chain.from_iterable(each for _, each in found))
        ratios = [rate.rows_per_s / other.rows_per_s for rate, other in zip(rates, alone, strict=True)]
        goal, met = verdict(statistics.median(ratios), _GOAL)
        shown = [f"{1000 * latencies_s[int(share * (len(latencies_s) - 1))]:,.0f}" for share in (0.5, 0.95)]
        clients = f"server, {n_clients} client{'s' if n_clients > 1 else ''}"
        rows.append([clients, *columns(rates, alone), *shown, goal, met])
    head = ["what", "rows/s", "x", "rows/CPU s", "x", "p50, ms", "p95, ms", "goal of x", "met"]
    text = table(head, rows)
    if not arguments.quick:
        caption = (
            f"A `gru` of {n_parameters:,} parameters on names, requests of {_ROWS} rows. Written by "
            "`python benchmarks/serve.py`, which says how."
        )
        busy = f"Load average of the machine, before and after: {before:.1f} and {os.getloadavg()[0]:.1f}."
        write_page("serve", "Speed of the server", caption, rounds, text, busy)
    print(text)


if __name__ == "__main__":
    main()
