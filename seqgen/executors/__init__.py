"""Executors: independent tasks in worker processes, here or on other machines."""

from seqgen.executors.run import TaskResult, run_tasks
from seqgen.executors.task import Task

__all__ = ["Task", "TaskResult", "run_tasks"]
