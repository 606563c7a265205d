"""The page as one document: what it may do stands at its top, by the digests of its own script and style."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from seqgen_page.viewers import Viewer

_NOTHING = "'none'"
_SCRIPTS = (
    "runtime.js",
    "products.js",
    "sampler.js",
    "blend.js",
    "repeats.js",
    "model.js",
    "nearest.js",
    "texts.js",
    "novelty.js",
    "unpacking.js",
    "view.js",
    "pictures.js",
    "settings.js",
    "results.js",
    "scoring.js",
    "page.js",
)
_NO_VIEWER = Viewer()


def document(facts: Mapping[str, Any], step: str, arrays: str, viewer: Viewer = _NO_VIEWER) -> str:
    """Return the page.

    Args:
        facts: what the scripts need, as JSON values.
        step: the script of the step.
        arrays: weights and counts as text.
        viewer: of the domain.
    """
    folder = files("seqgen_page")
    names = [*(["abc_lexer.js"] if facts.get("texts", {}).get("read") == "abc" else []), *_SCRIPTS]
    parts = [(folder / name).read_text(encoding="utf-8").replace('"use strict";\n', "") for name in names]
    script = "\n".join(['"use strict";', step, f"const viewer = {viewer.script};", *parts])
    style = (folder / "page.css").read_text(encoding="utf-8") + viewer.style
    body = (folder / "page.html").read_text(encoding="utf-8").replace("{title}", escape(str(facts["title"])))
    # "<" would end the element, or begin a comment.
    data = json.dumps(facts, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    kernel = base64.b64encode((folder / "linear.wasm").read_bytes()).decode()
    # 'wasm-unsafe-eval' allows WebAssembly, and no script.
    allowed = {"default-src": "", "script-src": f"{_digest(script)} 'wasm-unsafe-eval'", "style-src": _digest(style),
               "base-uri": "", "form-action": ""}  # fmt: skip
    policy = "; ".join(f"{name} {sources or _NOTHING}" for name, sources in allowed.items())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(str(facts['title']))}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n"
        f'<script id="facts" type="application/json">{data}</script>\n'
        f'<script id="arrays" type="text/plain">{arrays}</script>\n'
        f'<script id="kernel" type="text/plain">{kernel}</script>\n'
        f'<script id="program">{script}</script>\n</body>\n</html>\n'
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
