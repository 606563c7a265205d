import seqgen


def load(*, share: float = 0.5):
    def augment(text, random):
        return text.lower() if random.random() < share else text

    return augment


@seqgen.hookimpl
def register_augmentations(register):
    register(seqgen.AugmentationSpec(name="smallcaps", summary="small letters too", source="none", load=load))
