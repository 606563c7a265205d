import re

import seqgen

PIECE = re.compile(r"[^aeiou]*[aeiou]+|.", re.S)


class Syllables(seqgen.Tokenizer):
    def __init__(self, symbols):
        self.symbols = symbols
        self.id_of = {symbol: number for number, symbol in enumerate(symbols)}

    @property
    def n_symbols(self):
        return len(self.symbols)

    @classmethod
    def fit(cls, texts, *, most: int = 500):
        counts: dict[str, int] = {}
        letters: set[str] = set()
        for text in texts:
            letters.update(text)
            for piece in PIECE.findall(text):
                counts[piece] = counts.get(piece, 0) + 1
        common = sorted(counts, key=lambda piece: (-counts[piece], piece))[:most]
        return cls(sorted(letters | set(common)))

    def encode(self, text):
        ids, position = [], 0
        for piece in PIECE.findall(text):
            for symbol in [piece] if piece in self.id_of else piece:
                if symbol not in self.id_of:
                    letters = [known for known in self.symbols if len(known) == 1]
                    raise seqgen.UnknownSymbol(symbol, position, seqgen.nearest(symbol, letters))
                ids.append(self.id_of[symbol])
                position += len(symbol)
        return ids

    def decode(self, ids):
        return "".join(self.symbols[number] for number in ids)

    def to_json(self):
        return {"symbols": self.symbols}

    @classmethod
    def from_json(cls, data):
        return cls(data["symbols"])


@seqgen.hookimpl
def register_tokenizers(register):
    register(
        seqgen.TokenizerSpec(
            name="syllables", summary="consonants up to their vowels; else letters", source="spelling", load=Syllables
        )
    )
