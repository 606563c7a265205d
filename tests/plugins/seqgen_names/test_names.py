from __future__ import annotations

import pytest

pytest.importorskip("seqgen_names")
from seqgen_names.corpus import Names


def test_labels():
    labels = [record.label for record in Names()]
    assert labels.count("female") == 4944 and labels.count("male") == 3897
    assert [record.text for record in Names()][:2] == ["Aaren", "Aarika"]


def test_names_look_like_names():
    assert all(record.text[0].isupper() and record.text.replace("-", "").isalpha() for record in Names())
