"""Temporary."""

from seqgen.testing import old_texts as o


def _make(name):
    def run(subject):
        getattr(o, "check_" + name)(
            subject.spec,
            **({"texts": subject.texts} if name in ("tokenizer", "augmentation") else {}),
            **subject.options,
        )

    return run


corpus, tokenizer, validator, metric, renderer, processor, augmentation = map(
    _make, ["corpus", "tokenizer", "validator", "metric", "renderer", "processor", "augmentation"]
)
