"""An augmentation for seqgen."""

import seqgen

seqgen_api = "plugin-api"


@seqgen.hookimpl
def register_augmentations(register):
    """Register the augmentation."""
    register(
        seqgen.AugmentationSpec(
            name="plugin-name",
            summary="some records in lower case",
            source="none",
            load="plugin_package.augmentation:load",
        )
    )
