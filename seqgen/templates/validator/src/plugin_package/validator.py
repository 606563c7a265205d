"""A validator of words."""

import seqgen


class WordValidator:
    """A validator that accepts words of the letters a to z in any case."""

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict with a reason or a canonical form; never raise.

        "Unique" and "novel" compare canonical forms; a canonical form must be valid and its own canonical form.
        """
        if not (text.isascii() and text.isalpha()):
            return seqgen.Verdict(False, "not only letters a to z")
        return seqgen.Verdict(True, canonical=text.lower())
