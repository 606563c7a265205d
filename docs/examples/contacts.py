import seqgen


class Contacts:
    def read(self, lines):
        fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            if name in ("FN", "ORG", "TITLE"):
                fields[name] = value.strip()
            elif name == "END":
                if "FN" not in fields:
                    raise seqgen.CorpusError("a contact without a name (FN) ends here")
                yield seqgen.Record(fields.pop("FN"), label=fields.pop("TITLE", None), fields=fields)
                fields = {}
        if fields:
            raise seqgen.CorpusError("the file ends within a contact")


def is_vcard(name, start):
    return start.startswith(b"BEGIN:VCARD")


EXAMPLE = b"BEGIN:VCARD\nVERSION:4.0\nFN:Ada Lovelace\nORG:Analytical Engines\nTITLE:Countess\nEND:VCARD\n"


@seqgen.hookimpl
def register_readers(register):
    register(
        seqgen.ReaderSpec(
            name="vcard",
            summary="names in address books",
            source="RFC 6350",
            load=Contacts,
            endings=(".vcf",),
            matches=is_vcard,
            example=EXAMPLE,
        )
    )
