"""Seconds of compiling a cell's steps, in a process of its own: with an empty cache on disk, and with a filled one.

    python benchmarks/compiling.py CELL HIDDEN BATCH STEPS EMBEDDING THREADS

prints, after one ordinary training step, the seconds until the compiled steps are ready and one was taken, the import
of the compiler included. The cache is where TORCHINDUCTOR_CACHE_DIR says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from ours import learner_of_ids, make_model, random_batches
from seqgen.cells import compile_steps
from stranger_cells import UGRNN, LayerNormLSTM

CELLS = {"UGRNN": UGRNN, "layer-norm LSTM": LayerNormLSTM}
N_SYMBOLS = 60


def has_compiler() -> bool:
    """Whether there is a C++ compiler, which torch's compiler needs on a CPU."""
    return any(shutil.which(program) for program in (os.environ.get("CXX", "c++"), "g++", "clang++"))


def surroundings(cache: Path) -> dict[str, str]:
    """The variables by which torch's compiler keeps what it makes in a folder, and works alone."""
    return {"TORCHINDUCTOR_CACHE_DIR": str(cache), "TORCHINDUCTOR_COMPILE_THREADS": "1"}


def compile_s(cell: str, sizes: tuple[int, ...], cache: Path) -> float:
    """Seconds of compiling in a new process.

    Args:
        cell: one of ``CELLS``.
        sizes: hidden, batch, steps, embedding and threads.
        cache: the folder of the compiler's cache.
    """
    command = [sys.executable, __file__, cell, *map(str, sizes)]
    env = os.environ | surroundings(cache)
    return float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    """Compile, and print the seconds."""
    cell = sys.argv[1]
    hidden, batch_size, n_steps, embedding, threads = map(int, sys.argv[2:])
    torch.set_num_threads(threads)
    model = make_model(N_SYMBOLS, CELLS[cell], hidden, embedding)
    learner = learner_of_ids(model, N_SYMBOLS, engine="compiled")
    (batch,) = random_batches(N_SYMBOLS, batch_size, n_steps, 1)
    learner.take(batch)
    started = time.perf_counter()
    compile_steps(model)
    learner.take(batch)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
