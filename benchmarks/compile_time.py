"""Time to compile a cell's steps in a new process, with an empty and with a filled cache on disk.

    python benchmarks/compile_time.py CELL HIDDEN BATCH STEPS EMBEDDING THREADS

prints the processor time and the seconds from an ordinary training step to the first compiled one, import of the
compiler included. CELL is one of ``CELLS`` or a registered cell. The cache is at TORCHINDUCTOR_CACHE_DIR.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from custom_cells import UGRNN, LayerNormLSTM
from fixtures import make_id_learner, make_model, random_batches
from seqgen.cells import compile_steps

CELLS = {"UGRNN": UGRNN, "layer-norm LSTM": LayerNormLSTM}
N_SYMBOLS = 60


def has_compiler() -> bool:
    """Return whether a C++ compiler is installed, which torch's compiler needs on a CPU."""
    return any(shutil.which(program) for program in (os.environ.get("CXX", "c++"), "g++", "clang++"))


def compiler_env(cache: Path) -> dict[str, str]:
    """Return environment variables that give torch's compiler a cache folder and a single process."""
    return {"TORCHINDUCTOR_CACHE_DIR": str(cache), "TORCHINDUCTOR_COMPILE_THREADS": "1"}


def compile_s(cell: str, sizes: tuple[int, ...], cache: Path) -> float:
    """Return the seconds of compiling in a new process.

    Args:
        cell: one of ``CELLS``, or a registered cell.
        sizes: (hidden, batch, steps, embedding, threads).
        cache: the folder of the compiler's cache.
    """
    command = [sys.executable, __file__, cell, *map(str, sizes)]
    env = os.environ | compiler_env(cache)
    return float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.split()[-1])


def processor_s() -> float:
    """Return the seconds of processor time that this process and its children have taken."""
    return sum(os.times()[:4])


def main() -> None:
    """Compile and print the seconds."""
    cell = sys.argv[1]
    hidden, batch_size, n_steps, embedding, threads = map(int, sys.argv[2:])
    torch.set_num_threads(threads)
    model = make_model(N_SYMBOLS, CELLS.get(cell, cell), hidden, embedding)
    learner = make_id_learner(model, N_SYMBOLS, engine="compiled")
    (batch,) = random_batches(N_SYMBOLS, batch_size, n_steps, 1)
    learner.take(batch)
    started, taken_s = time.perf_counter(), processor_s()
    compile_steps(model)
    learner.take(batch)
    print(f"{processor_s() - taken_s:.1f} s of a core, seconds:", time.perf_counter() - started)


if __name__ == "__main__":
    main()
