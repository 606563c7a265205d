"""What version 1.1 of the hooks added: augmentations. It must go on working, so it is never changed."""

import seqgen

seqgen_api = "1.1"


@seqgen.hookimpl
def register_augmentations(register):
    register(seqgen.AugmentationSpec(name="turn", summary="backwards", load=lambda: lambda text, random: text[::-1]))
