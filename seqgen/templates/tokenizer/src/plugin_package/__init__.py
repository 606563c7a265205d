"""A tokenizer for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_tokenizers(register):
    """Hand the tokenizer in."""
    register(
        seqgen.TokenizerSpec(
            name="plugin-name",
            summary="small letters, and a symbol that makes the next one large",
            source="the shift key",
            load="plugin_package.tokenizer:ShiftTokenizer",
        )
    )
