"""Which texts are words."""

import seqgen


class WordValidator:
    """Accepts words of the letters a to z; case does not matter."""

    def validate(self, text: str) -> seqgen.Verdict:
        """Return whether a text is valid, else why not; it never raises.

        "Unique" and "novel" compare canonical forms, which must be valid and their own canonical forms.
        """
        if not (text.isascii() and text.isalpha()):
            return seqgen.Verdict(False, "not only letters a to z")
        return seqgen.Verdict(True, canonical=text.lower())
