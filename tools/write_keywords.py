"""Write the typed keywords of ``seqgen.train``, ``Run.sample`` and ``Run.evaluate`` from the configurations.

Type checkers and editors cannot derive a TypedDict from a pydantic model, so it is written out; a test compares.

    python tools/write_keywords.py
"""

from __future__ import annotations

import json
import textwrap
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from seqgen.config import DecodeConfig, EvaluateConfig, SampleConfig, TrainConfig, flags_of, keywords_of, sentence

TARGET = Path(__file__).resolve().parent.parent / "seqgen" / "keywords.py"
HEADER = '''"""Typed keywords of ``seqgen.train``, ``Run.sample`` and ``Run.evaluate``.

Written by ``tools/write_keywords.py`` from the configurations; a new setting is declared there, never here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypedDict

from seqgen.specs import AugmentationSpec, CellSpec, DomainSpec, ModelSpec, TokenizerSpec
'''
POSITIONAL = {TrainConfig: {"corpus"}, EvaluateConfig: {"n"}}


def keyword_type(config: type[BaseModel], name: str) -> str:
    """Return the type of a keyword as source."""
    flag = flags_of(config).get(name)
    annotation = config.model_fields[name].annotation
    text = flag.accepts if flag is not None and flag.accepts else _spelled(annotation)
    return text if text.endswith("None") else f"{text} | None"


def _spelled(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_spelled, arguments))
    if origin is typing.Literal:
        return f"Literal[{', '.join(json.dumps(argument) for argument in arguments)}]"
    if annotation is Any or annotation is types.NoneType:
        return "Any" if annotation is Any else "None"
    return f"{origin.__name__}[{', '.join(map(_spelled, arguments))}]" if arguments else str(annotation.__name__)


def class_source(config: type[BaseModel], name: str, base: type[BaseModel] | None, base_name: str) -> str:
    """Return the source of the TypedDict of a configuration, without the keywords of its base."""
    inherited = set() if base is None else set(base.model_fields)
    lines = [
        f"class {name}({base_name}, total=False):",
        f'    """Keywords of :class:`seqgen.config.{config.__name__}`."""',
        "",
    ]
    for keyword, field in keywords_of(config).items():
        if field not in inherited and keyword not in POSITIONAL.get(config, ()):
            lines.append(f"    {keyword}: {keyword_type(config, field)}")
            lines += textwrap.wrap(_doc(config, field), 116, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines) + "\n"


def _doc(config: type[BaseModel], field: str) -> str:
    return f'"""{sentence(config.model_fields[field].description or "")}."""'


def source() -> str:
    """Return the content of the module."""
    classes = [
        class_source(TrainConfig, "TrainKeywords", None, "TypedDict"),
        class_source(DecodeConfig, "DecodeKeywords", None, "TypedDict"),
        class_source(SampleConfig, "SampleKeywords", DecodeConfig, "DecodeKeywords"),
        class_source(EvaluateConfig, "EvaluateKeywords", None, "TypedDict"),
    ]
    return "\n\n".join([HEADER, *classes])


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
