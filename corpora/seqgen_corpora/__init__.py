"""The corpora of seqgen: folders of plain text files, one record a line, each with its datasheet."""
