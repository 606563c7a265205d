"""Setting how the steps of a model's cells run over time, and telling how they do."""

from __future__ import annotations

from torch import nn

from seqgen.cells.step import Engine, StepCell
from seqgen.cells.wrappers import StepWrapper
from seqgen.engine.compiled_runner import CHUNK
from seqgen.engine.plan_runner import traced_step

_WORTH_A_CHUNK = 5  # steps left over from which a padded chunk is faster than as many steps in a loop


def step_cells(module: nn.Module) -> list[StepCell]:
    """The step cells of a model that run over time themselves, not within another one."""
    cells: list[StepCell] = []
    for child in module.children():
        cells += [child] if isinstance(child, StepCell) else step_cells(child)
    return cells


def use_engine(module: nn.Module, engine: Engine) -> None:
    """Let every step cell of a model run over time by this engine."""
    for cell in step_cells(module):
        cell.engine = engine


def compile_steps(module: nn.Module) -> None:
    """Compile the steps of batches of the size that the model, set to the engine "compiled", was last trained on.

    Raises:
        Exception: whatever the compiler says; the model then still runs uncompiled.
    """
    for cell in step_cells(module):
        traced_step(cell).compile(cell.step)


def can_compile(module: nn.Module) -> bool:
    """Whether some steps were recorded, so that compiling them has a meaning."""
    cells = [cell for cell in step_cells(module) if not (cell.uses_fused() or cell.uses_parallel())]
    return any(not traced_step(cell).problem for cell in cells)


def is_compiled(module: nn.Module) -> bool:
    """Whether steps are to run in compiled chunks."""
    return any(cell.engine == "compiled" for cell in step_cells(module))


def describe_engine(module: nn.Module) -> str:
    """How each kind of step cell runs over time, in a line; empty for a model without any."""
    said: dict[str, None] = {}
    for cell in step_cells(module):
        own = cell.uses_fused() or cell.uses_parallel()
        found = traced_step(cell)
        if own:
            how = "by its own form for whole sequences"
        elif cell.engine == "eager":
            how = "step by step under autograd"
        elif found.problem:
            how = f"step by step under autograd, since its step cannot be recorded: {found.problem}"
        elif found.compiled and cell.engine == "compiled":
            how = f"by its recorded step, compiled in chunks of {CHUNK}"
        else:
            how = "by its recorded step"
        said[f"{_title(cell)} {how}"] = None
    return "; ".join(said)


def untraced_steps(module: nn.Module) -> list[str]:
    """Why steps that were to be recorded could not be, a line for each kind of cell; after it has learned a batch."""
    cells = [cell for cell in step_cells(module) if cell.engine != "eager" and traced_step(cell).problem]
    return list(dict.fromkeys(f"{_title(cell)}: {traced_step(cell).problem}" for cell in cells))


def _title(cell: nn.Module) -> str:
    wrapped = f" of {_title(cell.cell)}" if isinstance(cell, StepWrapper) else ""
    return f"{type(cell).__name__}{wrapped}"


def choose_padding(engine: str, n_steps: int) -> int:
    """Steps to which a batch is padded: for compiled chunks, whole ones if few are missing."""
    left_over = n_steps % CHUNK
    return n_steps + CHUNK - left_over if engine == "compiled" and left_over >= _WORTH_A_CHUNK else n_steps
