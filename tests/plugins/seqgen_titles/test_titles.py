from __future__ import annotations

import pytest

pytest.importorskip("seqgen_titles")
from seqgen_titles.corpus import load


def test_titles_are_clean():
    texts = [record.text for record in load()]
    assert len({text.casefold() for text in texts}) == len(texts)
    assert not [text for text in texts if set(text) & set("{}\\$~\t") or "  " in text or "http" in text]
    assert "Attention Is All You Need" in {text.title() for text in texts} | set(texts)
