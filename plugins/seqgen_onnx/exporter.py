"""The exporter to ONNX.

The model has the inputs ``ids`` (B,) and ``state_0``, ``state_1``, ...; its outputs are ``logits`` (B, V) and
``state_0_next``, ``state_1_next``, ... Its metadata under "seqgen" are the text of each id and its bytes,
a mask of the ids that can be sampled, and the state before the first id.

Dimension letters: B rows, V ids.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import seqgen
from seqgen import exporting

_LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
_WIDTHS, _STEPS = (1, 64), 12
_NEVER = -1e9  # as a logit; JSON has no infinity


class OnnxExporter:
    """A model of one step, with the counts of a blend in it.

    Raises:
        MissingExtra: a library is not installed.
    """

    suffixes = (".onnx",)

    def __init__(self) -> None:
        if any(importlib.util.find_spec(name) is None for name in _LIBRARIES):
            raise seqgen.MissingExtra("onnx", "a model of ONNX")

    def export(self, run: seqgen.Run, path: Path) -> seqgen.Exported:
        """Write the model and compare it in onnxruntime with the run.

        Raises:
            ExportRefused: the step cannot be traced, or has an operation that ONNX lacks.
            DiskError: the file cannot be written.
        """
        symbols, step = exporting.symbols_of(run), exporting.one_step(run.model, counts=True)
        model = onnx_model(exporting.traced_program(step), len(step.initial_leaves(1)))
        facts = model.metadata_props.add()
        facts.key, facts.value = "seqgen", json.dumps(_facts(run, symbols, step))
        seqgen.write_atomic(path, model.SerializeToString())
        return seqgen.Exported([path], "logits", _difference(path, step, symbols), tolerance=1e-4)


def onnx_model(program: Any, n_leaves: int) -> Any:
    """Return a traced step as an ``onnx.ModelProto``.

    Raises:
        ExportRefused: an operation has no form in ONNX; the line has torch's reason.
    """
    import torch

    names = [f"state_{place}" for place in range(n_leaves)]
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)  # torch and onnxscript log what they skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about its own code
            found = torch.onnx.export(
                program, dynamo=True, verbose=False,
                input_names=["ids", *names], output_names=["logits", *(f"{name}_next" for name in names)],
            )  # fmt: skip
    except Exception as error:
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise seqgen.ExportRefused(f"cannot export this model to ONNX: {type(error).__name__}: {reason}") from error
    finally:
        logging.disable(before)
    assert found is not None
    return found.model_proto


def _facts(run: seqgen.Run, symbols: exporting.Symbols, step: exporting.OneStep) -> dict[str, Any]:
    """Return the metadata.

    The text of an id that is no symbol is "". The bytes are hexadecimal digits of UTF-8: an id of some tokenizers is a
    part of a character, and has no text of its own. The mask is 0 for ids that can be sampled, and so low for others
    that none of them ever is.
    """
    pieces = [b""] * symbols.offset + list(symbols.pieces or ())
    allowed = set(symbols.allowed)
    return {
        "texts": [piece.decode("utf-8", "backslashreplace") for piece in pieces],
        "bytes": [piece.hex() for piece in pieces],
        "mask": [0.0 if index in allowed else _NEVER for index in range(symbols.n_ids)],
        "conditions": list(symbols.conditions),
        "slots": list(symbols.slots),
        "begin": 1,
        "end": 2,
        "max_length": symbols.max_length,
        "licence": run.settings.corpus.licence,
        "state": [
            {
                "name": f"state_{place}",
                "type": str(leaf.dtype).removeprefix("torch."),
                "shape": list(leaf.shape[1:]),
                "value": _value(leaf.flatten().tolist()),
            }
            for place, leaf in enumerate(step.initial_leaves(1))
        ],
    }


def _value(values: Sequence[float]) -> float | list[float]:
    """Return values that are all equal as one; the values of an empty leaf as 0."""
    return (values[0] if values else 0) if len(set(values)) <= 1 else list(values)


def _difference(path: Path, step: exporting.OneStep, symbols: exporting.Symbols) -> float:
    """Return the largest difference of logits in onnxruntime and in torch."""
    import numpy as np
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session, worst = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]), 0.0
    # A maximum of floats would pass over NaN.
    for width in _WIDTHS:
        chosen = [index for index in range(symbols.n_ids) if index != 1]
        rows = map(list, zip(*exporting.probe_rows(width, _STEPS, chosen, seed=width), strict=True))
        mine = step.initial_leaves(width)
        theirs = [leaf.numpy() for leaf in mine]
        for ids in [[1] * width, *rows]:
            ids_B = torch.tensor(ids)
            with torch.no_grad():
                logits_BV, *mine = step(ids_B, *mine)
            inputs = {f"state_{place}": leaf for place, leaf in enumerate(theirs)}
            found, *theirs = session.run(None, {"ids": ids_B.numpy(), **inputs})
            worst = float(np.maximum(worst, abs(logits_BV.numpy() - found).max()))
    return worst
