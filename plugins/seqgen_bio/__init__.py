"""Biological sequences: readers of FASTA and FASTQ, and the domains ``dna`` and ``protein``.

Sources: the FASTA format of Pearson and Lipman (doi:10.1073/pnas.85.8.2444), FASTQ as Cock and others describe it
(doi:10.1093/nar/gkp1137), and the one-letter codes of the IUPAC-IUB commissions (doi:10.1093/nar/13.9.3021 for bases,
doi:10.1111/j.1432-1033.1984.tb07877.x for amino acids).
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_BASES, _RESIDUES = "doi:10.1093/nar/13.9.3021", "doi:10.1111/j.1432-1033.1984.tb07877.x"


@seqgen.hookimpl
def register_readers(register: Callable[[seqgen.ReaderSpec], None]) -> None:
    """Register ``fasta`` and ``fastq``."""
    register(
        seqgen.ReaderSpec(
            name="fasta",
            summary="sequences in FASTA; fields id and description",
            source="doi:10.1073/pnas.85.8.2444",
            load="seqgen_bio.sequence_files:FastaReader",
            endings=(".fasta", ".fa", ".fas", ".fna", ".ffn", ".faa", ".frn"),
            matches="seqgen_bio.sequence_files:is_fasta",
            example=b">seq1 the first\nACGTAC\nGTN\n>seq2\nMKVLAAG*\n",
        )
    )
    register(
        seqgen.ReaderSpec(
            name="fastq",
            summary="reads in FASTQ, without their qualities; fields id and description",
            source="doi:10.1093/nar/gkp1137",
            load="seqgen_bio.sequence_files:FastqReader",
            endings=(".fastq", ".fq"),
            matches="seqgen_bio.sequence_files:is_fastq",
            example=b"@read1 lane 1\nACGTN\n+\nII@I!\n@read2\nACG\nT\n+read2\n@+\nII\n",
        )
    )


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Register ``dna`` and ``protein``."""
    register(
        seqgen.ValidatorSpec(
            name="dna",
            summary="codes of bases alone; compared without case",
            source=_BASES,
            load="seqgen_bio.validators:load_dna",
        )
    )
    register(
        seqgen.ValidatorSpec(
            name="protein",
            summary="codes of amino acids alone; compared without case and the final *",
            source=_RESIDUES,
            load="seqgen_bio.validators:load_protein",
        )
    )


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Register ``gc``."""
    register(
        seqgen.MetricSpec(
            name="gc",
            summary="share of G and C among the bases A, C, G and T",
            source=_BASES,
            load="seqgen_bio.metric:GcMetric",
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Register ``dna`` and ``protein``."""
    register(
        seqgen.DomainSpec(
            name="dna",
            summary="sequences of bases",
            source=_BASES,
            validator="dna",
            metrics=("gc",),
            endings=(".fna", ".ffn", ".fastq", ".fq"),
        )
    )
    register(
        seqgen.DomainSpec(
            name="protein", summary="sequences of amino acids", source=_RESIDUES, validator="protein", endings=(".faa",)
        )
    )
