"""A plugin written for version 1.3 of the hooks, with what 1.2 does not have. It must keep working: never change it."""

import json

import seqgen
from seqgen import exporting

seqgen_api = "1.3"


class Alphabet:
    def __init__(self, *, indent: int = 0):
        self.indent = indent

    def export(self, run, path):
        pieces = [piece.decode() for piece in exporting.symbols_of(run).pieces]
        seqgen.write_atomic(path, json.dumps(pieces, indent=self.indent or None).encode())
        again = json.loads(path.read_text())
        return seqgen.Exported([path], "symbols", float(again != pieces), tolerance=0.0)


@seqgen.hookimpl
def register_exporters(register):
    register(
        seqgen.ExporterSpec(name="letters", summary="s", source="none", compares="symbols, read again", load=Alphabet)
    )


@seqgen.hookimpl
def register_commands(app):
    @app.command()
    def letters(run: str):
        found = seqgen.load(run).export("letters", f"{run}.json", indent=1)
        print(found.difference, [file.name for file in found.files])
