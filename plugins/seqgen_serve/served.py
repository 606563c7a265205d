"""The runs of a server."""

from __future__ import annotations

import bisect
import datetime
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import seqgen
from seqgen import measure
from seqgen_serve.errors import ApiError, as_api_error

_MAX_POINTS = 1000  # of a curve
_MAX_FIELD = 200  # characters of a field in a message
_CURVES = (
    "step", "train_bits_per_char", "valid_bits_per_char", "valid_network_bits_per_char", "train_loss_nats",
    "valid_loss_nats", "lr",
)  # fmt: skip
_BYTES = "bytes:"  # before the codes of those that are no characters, as OpenAI has it
BEGIN, END = 1, 2
"""The ids of the begin and the end of a sequence."""


class ServedRun:
    """A run that is served, with its model loaded.

    Attributes:
        name: by which requests choose it.
        run: the run.
        vocabulary: its symbols.
        grows: whether the text of a row only grows with its symbols, so that it can be streamed.
        parts: how answers show the symbols that are parts of characters, by the text that scores have for them.
    """

    def __init__(self, name: str, run: seqgen.Run) -> None:
        self.name, self.run = name, run
        _ = run.model  # what is wrong with it shows before the server starts
        self.vocabulary = run.vocabulary
        self._pieces = self.vocabulary.pieces()
        self.grows = self._pieces is not None
        shown = {piece.decode("utf-8", "backslashreplace"): _shown(piece) for piece in self._pieces or ()}
        self.parts = {text: name for text, name in shown.items() if name.startswith(_BYTES)}

    def check_conditions(self, label: str | None, given: Mapping[str, str] | None) -> dict[str, str]:
        """Return the conditions of a request by name.

        Raises:
            ApiError: the run was not trained with one of them, or has not that value; or there are two labels.
        """
        other = (given or {}).get("label", label)
        if label is not None and other != label:
            raise ApiError(
                400,
                f"cannot condition on two labels, {seqgen.short_repr(label)} and {seqgen.short_repr(other)}: "
                "give one of them",
                "label",
            )
        wanted = {**(given or {}), **({} if label is None else {"label": label})}
        known = self.conditions
        for name, value in wanted.items():
            field = "label" if label is not None and name == "label" else "given"
            if name not in known:
                have = f"it has {', '.join(known)}" if known else "it was trained without conditions"
                if self.run.settings.corpus.multiline and field == "given":
                    shown = value if len(value) <= _MAX_FIELD else f"{value[:_MAX_FIELD]}…"
                    line = json.dumps(f"{name}={shown}\n", ensure_ascii=False)
                    have += f"; if its records begin with this field, begin the prompt with {line}"
                raise ApiError(
                    400, f"the model {self.name!r} has no condition {seqgen.short_repr(name)}: {have}", field
                )
            if value not in known[name]:
                some = ", ".join(known[name][:20])
                raise ApiError(
                    400, f"the model {self.name!r} has no {name} {seqgen.short_repr(value)}; known: {some}", field
                )
        return wanted

    @property
    def conditions(self) -> dict[str, list[str]]:
        """The values of each condition by name."""
        found: dict[str, list[str]] = {name: [] for name in self.vocabulary.slots}
        for condition in self.vocabulary.conditions:
            name, _, value = condition.partition("=")
            found[name].append(value)
        return found

    def symbols(self, text: str, n_prompt: int, start: int) -> tuple[list[str], list[int]]:
        """Return the symbols of a text, and the number of characters before each.

        Bytes that are a part of a character are shown by their codes.

        Args:
            text: the text.
            n_prompt: the number of symbols of its prompt.
            start: the number of characters of its prompt.
        """
        ids = self.vocabulary.encode(text).tolist()
        if self._pieces is None:  # no symbol has a place in the text of its own
            return [self.vocabulary.decode([index]) for index in ids], [
                0 if at < n_prompt else start for at in range(len(ids))
            ]
        pieces = [self._pieces[index - self.vocabulary.symbol_offset] for index in ids]
        ends = list(itertools.accumulate(len(character.encode("utf-8", "surrogatepass")) for character in text))
        offsets = [
            bisect.bisect_right(ends, before) for before in itertools.accumulate(map(len, pieces[:-1]), initial=0)
        ]
        return list(map(_shown, pieces)), offsets[: len(pieces)]

    def text_of(self, ids: Sequence[int], field: str = "prompt") -> str:
        """Return the text of ids of symbols.

        Args:
            ids: the ids.
            field: that of the request which has them.

        Raises:
            ApiError: an id is none of a symbol, or the tokenizer cuts their text in another way; 501 if the tokenizer
                needs a package that is not installed.
        """
        try:
            text = self.vocabulary.decode(ids)
            same = self.vocabulary.encode(text).tolist() == list(ids)
        except seqgen.MissingExtra as error:
            raise as_api_error(error, field) from None
        except (ValueError, seqgen.UsageError):
            least, most = self.vocabulary.symbol_offset, self.vocabulary.size - 1
            wrong = next((index for index in ids if not least <= index <= most), ids[0])
            raise ApiError(
                400, f"cannot use token {wrong}: the symbols of {self.name!r} are {least} to {most}", field
            ) from None
        if not same:
            raise ApiError(
                400,
                f"cannot use tokens {seqgen.short_repr(list(ids))}: the tokenizer of {self.name!r} cuts their text "
                "otherwise",
                field,
            )
        return text

    def to_json(self) -> dict[str, Any]:
        """Return the run as an entry of ``/v1/models``."""
        created = datetime.datetime.fromisoformat(self.run.settings.created)
        return {
            "id": self.name,
            "object": "model",
            "created": int(created.timestamp()),
            "owned_by": "seqgen",
            "seqgen": {
                "corpus": self.run.settings.corpus.title,
                "step": self.run.state["step"],
                "domain": self.run.domain,
                "parameters": sum(parameter.numel() for parameter in self.run.model.parameters()),
                "max_length": self.run.settings.max_length,
                "ends": self.vocabulary.ends,
                "multiline": self.run.settings.corpus.multiline,
                "conditions": self.conditions,
                "has_validator": self.run.validator_here is not None,
            },
        }

    def curves(self) -> dict[str, Any]:
        """Return the metrics of the training run as columns, at most 1,000 points of them, and its progress."""
        if not (self.run.path / "run.json").is_file():
            raise ApiError(404, f"the folder of the model {self.name!r} is gone, and its curves with it")
        rows = self.run.metrics
        rows = rows[:: -max(1, -(-len(rows) // _MAX_POINTS))][::-1]  # the newest is always one of them
        state = measure.training_state(self.run)
        columns = {name: [row.get(name) for row in rows] for name in _CURVES if any(name in row for row in rows)}
        return {"id": self.name, "step": state.step, "ended": state.ended, "best_step": state.best_step, **columns}


def _move(run: seqgen.Run, device: str) -> None:
    """Move the model of a run to a device."""
    try:
        run.model.to(device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it has it
        reason = str(error).partition("\n")[0]
        raise seqgen.UsageError(f"cannot compute on --device {device!r}: {reason}; pass cpu") from None


def _shown(piece: bytes) -> str:
    try:
        return piece.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return _BYTES + "".join(f"\\x{byte:02x}" for byte in piece)


def open_runs(
    names: Sequence[str], checkpoint: str, device: str, warn: Callable[[str], None], *, reads_corpora: bool = True
) -> dict[str, ServedRun]:
    """Open runs, with their models on a device, by the names of their folders; optionally without their corpora.

    Raises:
        NoSuchRun, CheckpointError: one cannot be opened.
        UsageError: two have the same name, or there is no such device.
    """
    served: dict[str, ServedRun] = {}
    for name in names or (None,):
        run = seqgen.load(name, checkpoint=checkpoint, warn=warn, reads_corpus=reads_corpora)
        called = run.path.resolve().name
        if called in served:
            raise seqgen.UsageError(f"cannot serve two runs called {called!r}: rename one of the folders")
        served[called] = ServedRun(called, run)
        _move(run, device)
    return served
