"""Counters of a server, as Prometheus reads them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import seqgen

_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counters, which any thread may raise.

    Args:
        log: called with one line for each request that the server fails.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log, self._lock = log, threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._rows: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._durations: Counter[float] = Counter()
        self._total_s = 0.0
        self._batches = self._batched = 0

    def count_request(self, path: str, status: int, elapsed_s: float) -> None:
        """Count an answer."""
        bound = next((bound for bound in _BOUNDS_S if elapsed_s <= bound), float("inf"))
        with self._lock:
            self._requests[path, status] += 1
            if path == "/v1/completions":
                self._durations[bound] += 1
                self._total_s += elapsed_s

    def count_batch(self, n_jobs: int) -> None:
        """Count jobs that start together."""
        with self._lock:
            self._batches += 1
            self._batched += n_jobs

    def count_rows(self, model: str, n_rows: int, n_tokens: int) -> None:
        """Count rows and their symbols."""
        with self._lock:
            self._rows[model] += n_rows
            self._tokens[model] += n_tokens

    def log_failure(self, error: BaseException) -> None:
        """Log an error of the server."""
        self._log(f"a request failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def to_text(self, n_waiting: int) -> str:
        """Return all of them in the text format of Prometheus."""
        with self._lock:
            lines = [*_head("seqgen_requests_total", "counter", "Answers by path and status.")]
            for (path, status), n in sorted(self._requests.items()):
                lines.append(f'seqgen_requests_total{{path="{path}",status="{status}"}} {n}')
            for name, help_, counts in (
                ("seqgen_rows_total", "Rows sampled or scored.", self._rows),
                ("seqgen_tokens_total", "Symbols of rows after their prompts.", self._tokens),
            ):
                lines += _head(name, "counter", help_)
                lines += [f'{name}{{model="{_escaped(model)}"}} {n}' for model, n in sorted(counts.items())]
            lines += _head("seqgen_batches_total", "counter", "Batches of requests that started together, or one.")
            lines.append(f"seqgen_batches_total {self._batches}")
            lines += _head("seqgen_batched_requests_total", "counter", "Requests in these batches.")
            lines.append(f"seqgen_batched_requests_total {self._batched}")
            lines += _head("seqgen_waiting_requests", "gauge", "Requests in the queue.")
            lines.append(f"seqgen_waiting_requests {n_waiting}")
            lines += _head("seqgen_completion_seconds", "histogram", "Seconds from a request to its answer.")
            n_all = 0
            for bound in (*_BOUNDS_S, float("inf")):
                n_all += self._durations[bound]
                shown = "+Inf" if bound == float("inf") else f"{bound:g}"
                lines.append(f'seqgen_completion_seconds_bucket{{le="{shown}"}} {n_all}')
            lines += [f"seqgen_completion_seconds_sum {self._total_s:.6f}", f"seqgen_completion_seconds_count {n_all}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, help_: str) -> list[str]:
    return [f"# HELP {name} {help_}", f"# TYPE {name} {kind}"]


def _escaped(label: str) -> str:
    """Return the value of a label."""
    label = seqgen.visible(label)
    return label.replace("\\", "\\\\").replace('"', '\\"')
