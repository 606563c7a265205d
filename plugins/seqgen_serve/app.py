"""The HTTP application: routes, bodies and streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import seqgen
from seqgen_serve.errors import ApiError, as_api_error
from seqgen_serve.job import make_job
from seqgen_serve.limits import Limits
from seqgen_serve.metrics import Metrics
from seqgen_serve.schema import as_json, parse_json, parse_request
from seqgen_serve.served import BEGIN, END, ServedRun
from seqgen_serve.waiting import events, first_event, give_up
from seqgen_serve.worker import Worker

_PAGE = Path(__file__).parent / "page"
_FILES = {"/": "index.html", "/app.js": "app.js", "/style.css": "style.css"}
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_FRAME = {"<|begin|>": BEGIN, "<|end|>": END}  # how clients with tokens write the begin and the end


class Api:
    """The answers to requests.

    Args:
        served: the runs by name.
        worker: which computes.
        limits: of the server.
        metrics: its counters.
    """

    def __init__(self, served: Mapping[str, ServedRun], worker: Worker, limits: Limits, metrics: Metrics) -> None:
        self._served, self._worker, self._limits, self._metrics = served, worker, limits, metrics

    def app(self) -> FastAPI:
        """Return the application."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)  # whose pages load scripts of others
        app.add_exception_handler(ApiError, _on_api_error)
        app.add_exception_handler(HTTPException, _on_http_error)
        app.add_exception_handler(Exception, self._on_failure)
        for path, name in _FILES.items():
            app.add_api_route(path, _file(_PAGE / name), methods=["GET"])
        app.add_api_route("/health", self.health, methods=["GET", "HEAD"])
        for path, answer in (
            ("/metrics", self.metrics),
            ("/v1/models", self.models),
            ("/v1/models/{name}", self.model),
            ("/v1/models/{name}/curves", self.curves),
            ("/tokenizer_info", self.tokenizer_info),
        ):
            app.add_api_route(path, answer, methods=["GET"])
        for path, answer_post in (
            ("/v1/completions", self.completions),
            ("/tokenize", self.tokenize),
            ("/detokenize", self.detokenize),
        ):
            app.add_api_route(path, answer_post, methods=["POST"])
        return app

    async def health(self) -> Response:
        """Answer whether the server works."""
        alive = self._worker.is_alive
        return _json({"status": "ok" if alive else "stopped"}, 200 if alive else 503)

    async def metrics(self) -> Response:
        """Answer the counters in the text format of Prometheus."""
        return Response(self._metrics.to_text(self._worker.n_waiting), media_type="text/plain; version=0.0.4")

    async def models(self) -> Response:
        """Answer the runs."""
        return _json({"object": "list", "data": [served.to_json() for served in self._served.values()]})

    async def model(self, name: str) -> Response:
        """Answer one run."""
        return _json(self._find(name).to_json())

    async def curves(self, name: str) -> Response:
        """Answer the metrics of the training run."""
        found = self._find(name)
        return _json(await asyncio.to_thread(found.curves))

    async def completions(self, request: Request) -> Response:
        """Answer rows, or the score of a prompt."""
        wanted = parse_request(await self._body(request))
        job = make_job(wanted, self._find(wanted.model), self._limits)
        self._worker.submit(job)
        try:
            first = await first_event(request, job)
        except BaseException:
            give_up(job)
            raise
        if isinstance(first, ApiError):
            raise first
        if not wanted.stream:
            return _json(first)
        return StreamingResponse(events(request, job, first), media_type="text/event-stream")

    async def tokenizer_info(self) -> Response:
        """Answer how clients write the begin and the end of a sequence, as some ask before they send tokens."""
        begin, end = _FRAME
        return _json({"tokenizer_class": "seqgen", "bos_token": begin, "eos_token": end, "chat_template": None})

    async def tokenize(self, request: Request) -> Response:
        """Answer the ids of the symbols of a text, as vLLM's server does."""
        body = await self._object(request)
        text = body.get("prompt")
        if not isinstance(text, str):
            raise ApiError(400, f"cannot use prompt {as_json(text)}: it is not a text", "prompt")
        served = self._find(body.get("model"))
        if text in _FRAME:
            tokens = [_FRAME[text]]
        else:
            try:
                tokens = served.vocabulary.encode(text).tolist()
            except seqgen.UsageError as error:
                raise as_api_error(error, "prompt") from None
            except UnicodeError as error:
                raise ApiError(400, str(error), "prompt") from None
        longest = served.run.settings.max_length
        return _json({"tokens": tokens, "count": len(tokens), "max_model_len": longest})

    async def detokenize(self, request: Request) -> Response:
        """Answer the text of ids of symbols, as vLLM's server does."""
        body = await self._object(request)
        ids = body.get("tokens")
        if not isinstance(ids, list) or not all(type(index) is int and 0 <= index < 2**31 for index in ids):
            raise ApiError(400, f"cannot use tokens {as_json(ids)}: send a list of ids of symbols", "tokens")
        served = self._find(body.get("model"))
        return _json({"prompt": served.text_of([index for index in ids if index not in (BEGIN, END)], "tokens")})

    def _find(self, name: Any) -> ServedRun:
        """Return the run of a request; the first one if it names none."""
        if name is None:
            return next(iter(self._served.values()))
        found = self._served.get(name) if isinstance(name, str) else None
        if found is None:
            raise ApiError(404, f"no model {seqgen.short_repr(name)}; there are: {', '.join(self._served)}", "model")
        return found

    async def _object(self, request: Request) -> dict[str, Any]:
        value = parse_json(await self._body(request))
        if not isinstance(value, dict):
            raise ApiError(400, f"cannot read the body {as_json(value)}: it is not a JSON object")
        return value

    async def _body(self, request: Request) -> bytes:
        """Return the body of a request.

        Raises:
            ApiError: 413 if it is too large, 408 if it is too slow, 499 if it does not end, 415 if it is not sent as
                JSON. A page of another site cannot send that without asking, which is never granted.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(415, f"cannot read a body of type {seqgen.short_repr(kind)}: send application/json")
        most, body = self._limits.body, bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise ApiError(413, f"the body is larger than {most:,} bytes")
        except ClientDisconnect:
            raise ApiError(499, "the client has gone away") from None
        except TimeoutError:
            raise ApiError(408, f"the body did not arrive within {self._limits.body_s:g} seconds") from None
        return bytes(body)

    async def _on_failure(self, request: Request, error: Exception) -> Response:
        self._metrics.log_failure(error)
        return await _on_api_error(request, as_api_error(error))


async def _on_api_error(request: Request, error: Any) -> Response:
    return _json(error.to_json(), error.status, error.headers)


async def _on_http_error(request: Request, error: Any) -> Response:
    status = error.status_code
    headers = getattr(error, "headers", None) or {}
    known = {404: f"no such path: {seqgen.short_repr(request.url.path)}", 405: f"{request.method} is not allowed here"}
    known[405] += f", but {headers['Allow']} is" if "Allow" in headers else ""
    problem = ApiError(status, known.get(status, str(error.detail)))
    problem.headers = {**headers, **problem.headers}
    return await _on_api_error(request, problem)


def _file(path: Path) -> Any:
    """Return the answer with a file of the page."""
    content, kind = path.read_bytes(), f"{_KINDS[path.suffix]}; charset=utf-8"

    async def answer() -> Response:
        return Response(content, media_type=kind)

    return answer


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON; ASCII, since a row may hold half a surrogate pair."""
    content = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    return Response(content, status, headers, media_type="application/json")
