"""Setting and describing the engine of the step cells of a model."""

from __future__ import annotations

from torch import nn

from seqgen.cells.cell import Engine, StepCell
from seqgen.cells.wrappers import StepWrapper
from seqgen.engine.compiled_runner import CHUNK
from seqgen.engine.plan_runner import traced_step
from seqgen.plugin_guards import defined_at

_WORTH_A_CHUNK = 5  # steps after the last whole chunk, from which one more padded chunk is faster than a loop


def step_cells(module: nn.Module) -> list[StepCell]:
    """Return the step cells of a model that run over time themselves, not within another one."""
    cells: list[StepCell] = []
    for child in module.children():
        cells += [child] if isinstance(child, StepCell) else step_cells(child)
    return cells


def use_engine(module: nn.Module, engine: Engine) -> None:
    """Set the engine of every step cell of a model."""
    for cell in step_cells(module):
        cell.engine = engine


def compile_steps(module: nn.Module) -> None:
    """Compile the steps of the cells that were traced, for the size of batch that was traced last.

    Raises:
        Exception: any error of the compiler; the model then still runs uncompiled.
    """
    for cell in step_cells(module):
        traced_step(cell).compile(cell.step)


def can_compile(module: nn.Module) -> bool:
    """Return whether any step cell can be compiled: it has no form of its own, and its step can be traced."""
    return any(not traced_step(cell).problem for cell in step_cells(module) if not _has_own_form(cell))


def any_own_form(module: nn.Module) -> bool:
    """Return whether any step cell runs by its own form for whole sequences, which is not compiled."""
    return any(map(_has_own_form, step_cells(module)))


def _has_own_form(cell: StepCell) -> bool:
    return cell.uses_fused() or cell.uses_parallel()


def count_operations(module: nn.Module) -> list[int]:
    """Return the operations of the step of each cell, forward and backward, that ``compile_steps`` would compile."""
    counts = (traced_step(cell).n_operations for cell in step_cells(module))
    return [n_operations for n_operations in counts if n_operations]


def is_compiled(module: nn.Module) -> bool:
    """Return whether the engine of any step cell is "compiled"."""
    return any(cell.engine == "compiled" for cell in step_cells(module))


def describe_engine(module: nn.Module) -> str:
    """Return in a line how each kind of step cell runs over time; empty for a model without any."""
    lines: dict[str, None] = {}
    for cell in step_cells(module):
        found = traced_step(cell)
        if _has_own_form(cell):
            how = "by its own form for whole sequences"
        elif cell.engine == "eager":
            how = "step by step under autograd"
        elif found.problem:
            how = f"step by step under autograd, since its step cannot be traced: {found.problem}"
        elif found.compiled and cell.engine == "compiled":
            how = f"by its traced step, compiled in chunks of {CHUNK}"
        else:
            how = "by its traced step"
        lines[f"{_title(cell)} {how}"] = None
    return "; ".join(lines)


def untraced_steps(module: nn.Module) -> list[str]:
    """Return why steps cannot be traced, a line for each kind of cell; call it after a batch of training."""
    cells = [cell for cell in step_cells(module) if cell.engine != "eager" and traced_step(cell).problem]
    return list(dict.fromkeys(f"{_title(cell)}: {traced_step(cell).problem}{_place(cell)}" for cell in cells))


def _place(cell: nn.Module) -> str:
    """Return where the step of a plugin's cell is defined, for the end of a message."""
    return _place(cell.cell) if isinstance(cell, StepWrapper) else defined_at(cell, "step")


def _title(cell: nn.Module) -> str:
    wrapped = f" of {_title(cell.cell)}" if isinstance(cell, StepWrapper) else ""
    return f"{type(cell).__name__}{wrapped}"


def choose_padding(engine: str, n_steps: int) -> int:
    """Return the steps to pad a batch to: for compiled chunks, whole chunks if few steps are missing."""
    left_over = n_steps % CHUNK
    return n_steps + CHUNK - left_over if engine == "compiled" and left_over >= _WORTH_A_CHUNK else n_steps
