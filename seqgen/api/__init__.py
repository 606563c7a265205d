"""What Python users call: train, resume, load, and the run that comes back."""

from seqgen.api.chosen import default_plugins
from seqgen.api.launch import resume, train
from seqgen.api.reading import read_file_as
from seqgen.api.request import Request
from seqgen.api.run import Run, load
from seqgen.api.setup import FILE, open_corpus, open_new_corpus, sort_out_corpus

__all__ = [
    "FILE",
    "Request",
    "Run",
    "default_plugins",
    "load",
    "open_corpus",
    "open_new_corpus",
    "read_file_as",
    "resume",
    "sort_out_corpus",
    "train",
]
