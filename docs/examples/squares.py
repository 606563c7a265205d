import seqgen


class Squares:
    def __iter__(self):  # each time from the first: a generator would be spent after one epoch
        for n in range(1000):
            label = "even" if n % 2 == 0 else "odd"
            split = {0: "valid", 5: "test"}.get(n % 10, "train")
            yield seqgen.Record(f"{n}*{n}={n * n}", label=label, fields={"digits": len(str(n * n))}, split=split)


@seqgen.hookimpl
def register_corpora(register):
    register(
        seqgen.CorpusSpec(
            name="squares",
            summary="the squares of the first thousand numbers",
            source="arithmetic",
            licence="CC0-1.0",
            load=Squares,
            labels=("even", "odd"),
            recommended={"train": {"steps": 500}},
        )
    )
