"""An augmentation for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_augmentations(register):
    """Hand the augmentation in."""
    register(
        seqgen.AugmentationSpec(
            name="plugin-name",
            summary="some records in small letters",
            source="none",
            load="plugin_package.augmentation:load",
        )
    )
