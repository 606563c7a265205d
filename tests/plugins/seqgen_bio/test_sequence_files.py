from __future__ import annotations

import gzip
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen

pytest.importorskip("seqgen_bio")
from seqgen_bio.metric import GcMetric
from seqgen_bio.sequence_files import FastaReader, FastqReader, is_fasta, is_fastq
from seqgen_bio.validators import load_dna, load_protein

TINY = ("--cell", "vanilla", "--hidden", 4, "--steps", 2, "--split", "none", "-o", "samples=1")
FASTA = ";made up\n>sp|P1|A first one\nMKVLa AG\nIVG*\n\n>P2\n>P3 third\nMALW\n"


def read(reader, text):
    found = [(record.text, dict(record.fields)) for record in reader.read(text.split("\n"))]
    return found, dict(reader.counts)


def test_fasta_is_read_with_ids_and_descriptions():
    found, counts = read(FastaReader(), FASTA)
    first = {"id": "sp|P1|A", "description": "first one"}
    assert found == [("MKVLaAGIVG*", first), ("MALW", {"id": "P3", "description": "third"})]
    assert counts == {"entries without a sequence skipped": 1}
    assert read(FastaReader(upper=True), FASTA)[0][0][0] == "MKVLAAGIVG*"
    assert read(FastaReader(), ">a\n;made up\nAC\n; 1 > 2\nGT\n")[0] == [("ACGT", {"id": "a"})]
    assert is_fasta("x", b">a\n;made up\nAC\n;made up\n1\n")
    assert read(FastaReader(), ">\nACGT")[0] == [("ACGT", {})]
    assert read(FastaReader(), ">r1\tBC:Z:AC x\nACGT")[0] == [("ACGT", {"id": "r1", "description": "BC:Z:AC x"})]


@pytest.mark.parametrize(
    ("text", "said"), [("ACGT\n>a\n", "'ACGT' stands before the first line"), (">a\nAC1T\n", "'AC1T' is no part of")]
)
def test_what_is_no_fasta_is_refused(text, said):
    with pytest.raises(seqgen.CorpusError, match=said):
        read(FastaReader(), text)


def test_fastq_is_read_without_its_qualities():
    text = "@r1 lane 1\nACGTN\n+\n@I+I!\n\n@r2\nAC\nGT\n+r2\n@@\n++\n@r3\n+\n"
    found, counts = read(FastqReader(), text)
    assert found == [("ACGTN", {"id": "r1", "description": "lane 1"}), ("ACGT", {"id": "r2"})]
    assert counts == {"entries without a sequence skipped": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ACGT\n", "an entry starts with @, not with 'ACGT'"),
        ("@a\nACGT\n", "the file ends within an entry"),
        ("@a\nACGT\n+\nII", "the file ends within an entry"),
        ("@a\nACGT\n+\nIIIII\n", "the qualities are not as long as the sequence"),
        ("@a\nAC GT\n+\nIIIII\n", "'AC GT' is no part of a sequence"),
    ],
)
def test_what_is_no_fastq_is_refused(text, said):
    with pytest.raises(seqgen.CorpusError, match=said):
        read(FastqReader(), text.removesuffix("\n"))


SEQUENCES = st.lists(st.text("ACGTN", min_size=1, max_size=30), min_size=1, max_size=4)


@pytest.mark.full
@settings(deadline=None, max_examples=50)
@given(SEQUENCES, st.integers(1, 12), st.data())
def test_any_entries_are_read_back_however_they_are_folded(sequences, width, data):
    def folded(text):
        return "\n".join(text[at : at + width] for at in range(0, len(text), width))

    quality = [data.draw(st.text("!+@Iz", min_size=len(one), max_size=len(one))) for one in sequences]
    fasta = "\n".join(f">s{n}\n{folded(one)}" for n, one in enumerate(sequences))
    fastq = "\n".join(
        f"@s{n}\n{folded(one)}\n+\n{folded(q)}" for n, one, q in zip(count(), sequences, quality, strict=False)
    )
    assert [text for text, _ in read(FastaReader(), fasta)[0]] == sequences
    assert [text for text, _ in read(FastqReader(), fastq)[0]] == sequences


def test_content_says_which_format_it_is():
    assert is_fasta("x", b";made up\n>a b\nMKVL\nAG*\n>b\n") and is_fastq("x", b"@r1\r\nACGT\r\n+\r\nIIII")
    for text in (b"> quoted: text\nmore of it\n", b">>> print(1)\n1\n", b"@anna\n@ben\n", b"anna\n"):
        assert not is_fasta("x", text) and not is_fastq("x", text)


def test_codes_are_valid_in_either_case():
    assert load_dna().validate("acgTN") == seqgen.Verdict(True, "", "ACGTN")
    assert load_dna(ambiguous=False).validate("ACN") == seqgen.Verdict(False, "'N' at position 2 is no code")
    assert load_protein().validate("MKx*") == seqgen.Verdict(True, "", "MKX")
    for text, validator in (("", load_dna()), ("*", load_protein()), ("M*K", load_protein()), ("ACGU", load_dna())):
        assert not validator.validate(text).ok
    assert GcMetric()(["GC", "at"], ["nnn"]) == {"share": 0.5, "share_held_out": None}


def test_a_run_learns_from_fasta_and_knows_its_domain(cli, in_tmp):
    Path("a.faa.gz").write_bytes(gzip.compress(b">a x\nMKVLAAGIV\n>b\nMALW\n"))
    trained = cli("train", "--corpus", "a.faa.gz", *TINY, "--out", "run")
    assert trained.code == 0 and "(domain: protein)" in trained.err and "2 training records" in trained.err, trained.err
    record = next(iter(seqgen.load("run").corpus))
    assert (record.text, record.fields) == ("MKVLAAGIV", {"id": "a", "description": "x"})
    Path("b.txt").write_text(">a\nACGT\nAC\n>b\nAC\nGG!\n")
    refused = cli("train", "--corpus", "b.txt", *TINY)
    assert refused.code == 3 and f"'{in_tmp}/b.txt', line 6: 'GG!' is no part of a sequence" in refused.err
