"""Cards: a line ``== TITLE``, and lines ``name: value``."""

from collections.abc import Iterable, Iterator

import seqgen


class CardReader:
    """A reader of cards.

    Args:
        label: the field that is the label of a card; "" for none.
    """

    def __init__(self, *, label: str = "") -> None:
        self.label = label

    def read(self, lines: Iterable[str]) -> Iterator[seqgen.Record]:
        """Yield a record for each card."""
        title, fields = "", {}
        for line in lines:
            name, colon, value = line.partition(": ")
            if line.startswith("== "):
                yield from self._card(title, fields)
                title, fields = line[3:].strip(), {}
            elif colon and title:
                fields[name] = value
            elif line.strip():
                raise seqgen.CorpusError(f"{line[:40]!r} is neither a title nor a field")  # core adds file and line
        yield from self._card(title, fields)

    def _card(self, title: str, fields: dict[str, str]) -> Iterator[seqgen.Record]:
        if title:
            yield seqgen.Record(title, label=fields.get(self.label), fields=fields)
