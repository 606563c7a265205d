"""A tokenizer for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_tokenizers(register):
    """Register the tokenizer."""
    register(
        seqgen.TokenizerSpec(
            name="plugin-name",
            summary="lower-case letters, and a shift symbol for capitals",
            source="the shift key",
            load="plugin_package.tokenizer:ShiftTokenizer",
        )
    )
