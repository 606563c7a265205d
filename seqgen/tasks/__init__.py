"""Functions that run in other processes for a command: parts of a corpus or an evaluation, and a compilation."""
