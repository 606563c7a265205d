"""A server in this process, and a client made of the standard library."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from dataclasses import replace

from seqgen_serve.limits import Limits
from seqgen_serve.served import ServedRun
from seqgen_serve.server import Server, listen


class Client:
    """A client, with a new connection for each call."""

    def __init__(self, port, key=None):
        self.port, self.key = port, key

    def call(self, method, path, body=None, headers=None):
        """Return status, headers and body of an answer."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def get(self, path, status=200):
        found, _, body = self.call("GET", path)
        assert found == status, body
        return json.loads(body)

    def post(self, path="/v1/completions", status=200, **body):
        found, _, answer = self.call("POST", path, body)
        assert found == status, answer
        return json.loads(answer)

    def texts(self, **body):
        return [choice["text"] for choice in self.post(**body)["choices"]]

    def stream(self, **body):
        """Return the chunks of a stream."""
        status, headers, data = self.call("POST", "/v1/completions", {**body, "stream": True})
        assert status == 200 and headers["content-type"].startswith("text/event-stream"), data
        events = [line.removeprefix(b"data: ") for line in data.split(b"\n\n") if line]
        assert events.pop() == b"[DONE]"
        return [json.loads(event) for event in events]

    def error(self, status, **body):
        """Return the message of an error."""
        found = self.post(status=status, **body)["error"]
        assert set(found) == {"message", "type", "param", "code"} and "\n" not in found["message"]
        return found["message"]


@contextlib.contextmanager
def serving(*runs, keys=(), local=True, hosts=(), **limits):
    """Serve runs within the context; yields a client, with the server as ``client.server``."""
    served = {run.path.name: ServedRun(run.path.name, run) for run in runs}
    server = Server(served, keys, local, replace(Limits(), **limits), hosts)
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, args=(listener,))
        thread.start()
        try:
            wait_for(lambda: server.is_ready)
            client = Client(listener.getsockname()[1], keys[0] if keys else None)
            client.server = server
            yield client
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive()


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)
