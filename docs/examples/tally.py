import json

import seqgen


class Tally:
    def write(self, evaluation, path):
        values = {name: value for name, value in evaluation.metrics.items() if isinstance(value, float)}
        seqgen.write_atomic(path, json.dumps(values, indent=2).encode())
        return [path]


@seqgen.hookimpl
def register_reports(register):
    register(seqgen.ReportSpec(name="tally", summary="the numbers alone, as JSON", source="none", load=Tally))
