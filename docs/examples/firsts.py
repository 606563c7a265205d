import csv
import io

import seqgen


class Firsts:
    def __init__(self, *, digits: int = 6):
        self.digits = digits

    def export(self, run, path):
        table = [(one.text, round(one.probability, self.digits)) for one in run.next_symbols() if not one.ends]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(table)
        seqgen.write_atomic(path, text.getvalue().encode())
        with path.open(encoding="utf-8", newline="") as file:
            again = dict(csv.reader(file))
        difference = max(abs(float(again[one.text]) - one.probability) for one in run.next_symbols() if not one.ends)
        return seqgen.Exported([path], "probabilities of the first symbols", difference, tolerance=1e-4)


@seqgen.hookimpl
def register_exporters(register):
    register(
        seqgen.ExporterSpec(
            name="firsts",
            summary="the first symbols with their probabilities, as CSV",
            source="RFC 4180",
            compares="probabilities, read again, to 1e-4",
            load=Firsts,
        )
    )
