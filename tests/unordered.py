"""Parts that depend on the order of a set, which is another one in each process. Other processes import them."""

from __future__ import annotations

import seqgen


class OrderOfASet:
    """A tokenizer that numbers its symbols in the order of a set."""

    def __init__(self, symbols):
        self.symbols = symbols

    @property
    def n_symbols(self):
        return len(self.symbols)

    @classmethod
    def fit(cls, texts):
        return cls(list({*"".join(texts)}))

    def to_json(self):
        return {"symbols": self.symbols}


class OrderOfCodePoints(OrderOfASet):
    """The same in an order that is always the same."""

    @classmethod
    def fit(cls, texts):
        return cls(sorted({*"".join(texts)}))


def names_of_a_set():
    return [seqgen.Record(name) for name in {f"name {number}" for number in range(20)}]


def sorted_names():
    print("sorting names")
    return sorted(names_of_a_set(), key=lambda record: record.text)
