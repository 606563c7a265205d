"""Call signs in Morse code: a corpus, a tokenizer, a cell, a metric and a command."""

import seqgen

seqgen_api = "1.0"


@seqgen.hookimpl
def register_corpora(register):
    register(
        seqgen.CorpusSpec(
            name="callsigns",
            summary="made-up call signs of amateur radio",
            source="the prefixes of ITU Radio Regulations, appendix 42; the rest by lot",
            licence="CC0-1.0",
            load="telegraph.corpus:load",
            domain="telegraph",
            labels=("D", "F", "G", "J", "P", "S", "V"),
            recommended={"train": {"steps": 400}},
        )
    )


@seqgen.hookimpl
def register_domains(register):
    register(
        seqgen.DomainSpec(
            name="telegraph", summary="what is keyed", tokenizer="morse", metrics=("keying",)
        )
    )


@seqgen.hookimpl
def register_tokenizers(register):
    register(
        seqgen.TokenizerSpec(
            name="morse",
            summary="dots, dashes and gaps; what has no code stands for itself",
            source="ITU-R M.1677-1",
            load="telegraph.morse:MorseTokenizer",
        )
    )


@seqgen.hookimpl
def register_cells(register):
    register(
        seqgen.CellSpec(
            name="decay",
            summary="each unit forgets at a rate of its own",
            source="Mozer 1992, Induction of multiscale temporal structure",
            load="telegraph.cell:DecayCell",
        )
    )


@seqgen.hookimpl
def register_metrics(register):
    register(
        seqgen.MetricSpec(
            name="keying",
            summary="how long it takes to key a text, in dots",
            source="ITU-R M.1677-1",
            load="telegraph.morse:KeyingMetric",
        )
    )


@seqgen.hookimpl
def register_commands(app):
    @app.command()
    def key(text: str):
        """Show a text in Morse code."""
        from telegraph.morse import code

        print(" ".join(code(character) for character in text.upper()))
