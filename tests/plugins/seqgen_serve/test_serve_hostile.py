"""Malformed requests: none makes the server fail."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import serving, wait_for

pytest.importorskip("fastapi", reason="no FastAPI (extra: serve)")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
VALID = {
    "model": "run", "prompt": "an", "n": 2, "max_tokens": 5, "temperature": 0.9, "top_p": 0.9, "seed": 1, "stop": "x",
    "logprobs": 1, "echo": True, "stream": False, "stream_options": {"include_usage": True}, "contains": "a",
    "length": "2-6", "regex": "[a-n]+", "unique": True, "novel": True, "valid": True, "label": "a", "given": {"a": "b"},
    "avoid": ["q"], "ends": "a", "template": "a*", "exact": True, "ignore_case": True, "end": True, "top_k": 3,
    "min_p": 0.1, "best_of": 1, "user": "u", "suffix": None, "logit_bias": {}, "presence_penalty": 0,
}  # fmt: skip
NEAR = st.sampled_from([
    "", "an", "Ä", "\ud800", "\x00", "(", "[a-", "a{1000}{1000}", "5-", "-", "9-2", "*" * 30, -1, 0, 1, 2, 10**6, 2**63,
    2**64, 10**30, 1e308, -0.0, float("nan"), float("inf"), True, False, None, [], [[]], [1], [[1, 2]], [3, 4], [0],
    ["a"] * 3, ["a", 1], {}, {"include_usage": 3},
])  # fmt: skip
MUTATED = st.dictionaries(st.sampled_from([*VALID]), NEAR | JSON, max_size=4)
KEPT = st.sets(st.sampled_from([*VALID]), max_size=6)
BODIES = (
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda kept, mutated: json.dumps({**{name: VALID[name] for name in kept}, **mutated}).encode(), KEPT, MUTATED
    )
    | st.integers(1, 100_000).map(lambda depth: b"[" * depth)
)
PATHS = st.sampled_from(["/v1/completions"] * 6 + ["/tokenize", "/detokenize", "/v1/models", "/health", "/", "/v1/x"])
TOKENS = st.builds(
    lambda name, value: json.dumps({name: value}).encode(),
    st.sampled_from(["prompt", "tokens", "model"]),
    JSON | NEAR | st.lists(st.integers(-5, 2**70), max_size=5),
)
METHODS = st.sampled_from(["POST"] * 8 + ["GET", "PUT", "OPTIONS", "HEAD"])
KINDS = st.sampled_from(["application/json"] * 8 + ["text/plain", "application/json; charset=x", "", "a" * 50])


@pytest.mark.parametrize(
    "n_requests",
    [pytest.param(300, marks=pytest.mark.full), pytest.param(10_000, marks=pytest.mark.slow)],
)
def test_malformed_requests_never_make_it_fail(tiny_run, n_requests):
    counts: dict[int, int] = {}
    with serving(tiny_run, timeout_s=5.0, rows=50, tokens=100) as client:

        @settings(
            max_examples=n_requests, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(METHODS, PATHS, BODIES | TOKENS, KINDS)
        def ask(method, path, body, kind):
            status, headers, answer = client.call(method, path, body, {"Content-Type": kind})
            counts[status] = counts.get(status, 0) + 1
            assert status in (200, 400, 403, 404, 405, 413, 415, 503), (status, method, path, body, answer)
            if status >= 400 and method != "HEAD":
                error = json.loads(answer)["error"]
                assert error["message"] and "\n" not in error["message"]
                assert error["type"].endswith("_error")

        ask()
        assert len(client.texts(n=3)) == 3 and client.get("/health") == {"status": "ok"}
    assert sum(counts.values()) >= n_requests * 0.9 and counts[200] > 10 and counts[400] > n_requests / 4, counts


@pytest.mark.full
@pytest.mark.parametrize(
    "line",
    [
        b"GET", b"\x00\xff" * 50, b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/completions HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"b" * 70_000,
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_ends_its_connection_only(tiny_run, line):
    with serving(tiny_run) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as raw:
            raw.sendall(line)
            raw.shutdown(socket.SHUT_WR)
            found = b""
            while chunk := raw.recv(10_000):
                found += chunk
        assert not found or found.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
        assert client.get("/health") == {"status": "ok"}


@pytest.mark.full
@pytest.mark.parametrize(
    "sent", [b"", pytest.param(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n", marks=pytest.mark.full)]
)
def test_headers_that_do_not_end_lose_their_place(tiny_run, sent):
    with serving(tiny_run, body_s=0.5) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as raw:
            raw.sendall(sent)
            answer = http.client.HTTPResponse(raw)
            answer.begin()
            body = json.loads(answer.read())
            assert raw.recv(1) == b""
        assert answer.status == 408
        assert body["error"]["message"] == "the headers did not arrive within 0.5 seconds"
        # A connection that is kept open may ask again, later than that.
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)) as connection:
            for _ in range(2):
                connection.request("GET", "/health")
                assert json.loads(connection.getresponse().read()) == {"status": "ok"}
                time.sleep(0.7)


def test_a_client_that_hangs_up_within_its_body_is_no_failure(tiny_run, capfd):
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with serving(tiny_run) as client:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", client.port), timeout=10) as raw:
                raw.sendall(head + b'Content-Length: 100\r\n\r\n{"n": 1')
        assert client.texts(n=2)
        wait_for(lambda: 'status="499"' in client.call("GET", "/metrics")[2].decode())
        assert 'status="500"' not in client.call("GET", "/metrics")[2].decode()
    said = capfd.readouterr()
    assert "Traceback" not in said.err and "failed" not in said.err


@pytest.mark.full
def test_a_client_that_does_not_read_its_answer_loses_its_place(tiny_run):
    """The answer is larger than what the system keeps for a client."""
    body = json.dumps({"n": 4000, "logprobs": 20, "max_tokens": 20, "seed": 1}).encode()
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    with serving(tiny_run, rows=4000, tokens=10**7, timeout_s=120.0) as client:
        begin = time.monotonic()
        status, _, whole = client.call("POST", "/v1/completions", body)
        assert status == 200 and len(whole) > 8_000_000
        took_s = time.monotonic() - begin
        timeout_s = min(3 * took_s, 60)  # enough to make the answer, on a loaded machine too
    with serving(tiny_run, rows=4000, tokens=10**7, timeout_s=timeout_s) as client:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", client.port))
            raw.sendall(head + str(len(body)).encode() + b"\r\n\r\n" + body)
            time.sleep(1.5 * took_s + timeout_s + 12)  # the time-out counts from when the answer is made
            raw.settimeout(30)
            read = b""
            with contextlib.suppress(ConnectionError):
                while data := raw.recv(1 << 16):
                    read += data
        assert read.startswith(b"HTTP/1.1 200") and 10_000 < len(read) < 0.9 * len(whole)
