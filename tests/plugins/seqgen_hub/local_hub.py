"""A small hub on this machine: answers to the calls of huggingface_hub that make a repository and commit files."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOKEN = "hf_of_a_test"


@dataclass
class Repo:
    private: bool
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class LocalHub:
    """Its address, its repositories, and the requests it was sent, as METHOD PATH."""

    address: str
    repos: dict[str, Repo] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)  # large files by SHA-256
    fails: int = 0  # status with which commits are refused, 0: none


@contextlib.contextmanager
def local_hub() -> Iterator[LocalHub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = hub = LocalHub(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def do_PUT(self) -> None:
        self._handle("PUT")

    def _handle(self, method: str) -> None:
        self.hub: LocalHub = self.server.hub  # type: ignore[attr-defined]
        path, body = urlsplit(self.path).path, self._body()
        self.hub.requests.append(f"{method} {path}")
        if method == "PUT":  # of a large file, whose address is the permission
            self.hub.objects[path.rpartition("/")[2]] = body
            self._answer({})
        elif self.headers.get("Authorization", "").removeprefix("Bearer ") != TOKEN:
            self._answer({"error": f"Invalid token {self.headers.get('Authorization')}"}, 401)
        else:
            self._answer(*self._reply(path, body))

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _reply(self, path: str, body: bytes) -> tuple[Any, int]:
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}, 200
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/objects/batch"):
            return self._batch(json.loads(body)), 200
        name = "/".join(path.removeprefix("/api/models/").split("/")[:2])
        repo, rest = self.hub.repos.get(name), path.removeprefix(f"/api/models/{name}")
        if repo is None:
            return {"error": "Repository not found"}, 404
        if rest.startswith("/preupload/"):
            files = [one["path"] for one in json.loads(body)["files"]]
            large = {one: "lfs" if one.endswith(".safetensors") else "regular" for one in files}
            return {"files": [{"path": one, "uploadMode": large[one], "shouldIgnore": False} for one in files]}, 200
        if rest.startswith("/tree/"):
            return [{"type": "file", "path": one, "size": 1, "oid": "0"} for one in repo.files], 200
        if rest.startswith("/commit/"):
            return self._commit(name, body)
        return {"id": name, "private": repo.private, "sha": "0" * 40, "siblings": []}, 200

    def _create(self, wanted: dict[str, Any]) -> tuple[Any, int]:
        name = f"{wanted['organization']}/{wanted['name']}"
        answer = {"url": f"{self.hub.address}/{name}"}
        if name.startswith("others/"):
            return {"error": "You don't have the rights to create a model under the namespace 'others'"}, 403
        if name in self.hub.repos:
            return answer | {"error": "You already created this model repo"}, 409
        self.hub.repos[name] = Repo(private=bool(wanted.get("private")) or wanted.get("visibility") == "private")
        return answer, 200

    def _batch(self, wanted: dict[str, Any]) -> Any:
        found = [
            {**one, "actions": {"upload": {"href": f"{self.hub.address}/large/{one['oid']}"}}}
            for one in wanted["objects"]
        ]
        return {"transfer": "basic", "objects": found}

    def _commit(self, name: str, body: bytes) -> tuple[Any, int]:
        repo = self.hub.repos[name]
        if self.hub.fails:
            return {"error": "no space left on the hub"}, self.hub.fails
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repo.files[value["path"]] = self.hub.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del repo.files[value["path"]]
        return {"commitUrl": f"{self.hub.address}/{name}/commit/{'0' * 40}", "commitOid": "0" * 40}, 200

    def _answer(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status >= 400:
            self.send_header("X-Error-Message", str(value["error"]))
        self.end_headers()
        self.wfile.write(data)
