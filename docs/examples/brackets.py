import itertools

import seqgen


class Brackets:
    start = 0

    def advance(self, depth, character):
        depth += {"(": 1, ")": -1}.get(character, 0)
        return depth if 0 <= depth <= 5 else None

    def accepts(self, depth):
        return depth == 0


class Validator:
    def validate(self, text):
        depths = list(itertools.accumulate({"(": 1, ")": -1}.get(character, 0) for character in text))
        balanced = min(depths, default=0) == 0 and not any(depths[-1:])
        return seqgen.Verdict(balanced, "" if balanced else "its brackets are not balanced")


@seqgen.hookimpl
def register_validators(register):
    register(seqgen.ValidatorSpec(name="balanced", summary="balanced brackets", source="none", load=Validator))


@seqgen.hookimpl
def register_domains(register):
    register(seqgen.DomainSpec(name="lisp", summary="Lisp", source="none", validator="balanced", automaton=Brackets))
