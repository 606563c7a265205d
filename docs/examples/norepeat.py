import seqgen


def load(*, penalty: float = 2.0):
    def process(logits_BV, ids_BT):
        if not ids_BT.shape[1]:
            return logits_BV
        last_B1 = ids_BT[:, -1:]
        return logits_BV.scatter(1, last_B1, logits_BV.gather(1, last_B1) - penalty)  # a copy: arguments stay

    return process


@seqgen.hookimpl
def register_processors(register):
    register(seqgen.ProcessorSpec(name="norepeat", summary="no symbol twice", source="none", load=load))
