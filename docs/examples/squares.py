import seqgen


class Squares:
    def __iter__(self):  # each time from the first: a generator would be spent after one epoch
        return (seqgen.Record(f"{n}*{n}={n * n}", label="even" if n % 2 == 0 else "odd") for n in range(1000))


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
