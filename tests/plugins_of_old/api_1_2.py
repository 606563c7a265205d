"""What version 1.2 of the hooks added: the classes of TensorFlow 1 that a cell answers. It is never changed."""

import seqgen

seqgen_api = "1.2"


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="plain", summary="none", load="json:loads", tf={"PlainCell": {}}))
